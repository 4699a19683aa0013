"""People decide over the gate: what the next round starts from, and what stays as it was."""

import json

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from infra.forks import fork
from infra.lease import Holder, Lease
from infra.run_tree import RunTree
from infra.storage import open_store
from tasks.canonical import digest
from tasks.claims import Claim
from tasks.decisions import History
from tasks.errors import ConfigError, HeldError
from tasks.rounds import Rounds, place_of
from tests.decided_runs import decision, made
from tests.small_config import checkpoint, plain_small, small_config


@pytest.fixture
def tree(tmp_path):
    return made(RunTree(open_store(f"file://{tmp_path}/store"), "demo"))


@pytest.fixture
def tso(tree, tmp_path):
    """The command, on the store of `tree`."""
    preset = tmp_path / "preset.json"
    preset.write_text(json.dumps(plain_small(storage__root=tree.store.root)))
    preset = preset.rename(preset.with_suffix(".yaml"))

    def call(*arguments):
        given = [*map(str, arguments), "--preset", str(preset)]
        done = CliRunner().invoke(app, given, env={"COLUMNS": "200"})
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.output

    return call


def next_place(tree, index=4):
    """What the doors of a round are told."""
    config = small_config(storage__root=tree.store.root)
    claim = Claim(flow_run_id="f", first_index=index, last_index=index)
    rounds = Rounds(config=config, claim=claim, run="demo", redo=(), sft=checkpoint("sft"))
    return place_of(rounds, index, {})


def test_without_a_decision_the_next_round_follows_the_gate(tree):
    assert next_place(tree).reference.sha256 == "policy-2"
    assert next_place(tree, 0).reference.sha256 == "sft"


def test_a_refused_policy_is_promoted_with_a_reason_and_no_manifest_changes(tree, tso):
    before = digest(tree.manifests())
    text = tso("gate", "demo", "--promote", "--reason", "read 50 answers", "--by", "ann")
    assert "ann promoted the policy: read 50 answers" in text and "starts from policy-3" in text
    assert next_place(tree).reference.sha256 == "policy-3"
    assert next_place(tree).strengths["policy"] == 3.0
    assert digest(tree.manifests()) == before
    [decision] = tree.decisions()[3]
    assert (decision["action"], decision["by"], decision["reason"]) == (
        "promote",
        "ann",
        "read 50 answers",
    )


def test_the_last_word_counts_and_those_before_it_stay(tree, tso):
    tso("gate", "demo", 3, "--promote", "--reason", "looks fine")
    tso("gate", "demo", 3, "--refuse", "--reason", "no, it is rude")
    assert next_place(tree).reference.sha256 == "policy-2"
    assert [one["action"] for one in tree.decisions()[3]] == ["promote", "refuse"]
    shown = tso("gate", "demo")
    assert "looks fine" in shown and "no, it is rude" in shown and "round 3: refused" in shown


def test_a_rollback_goes_on_from_an_earlier_round_and_keeps_all(tree, tso):
    text = tso("rollback", "demo", 0, "--reason", "rounds 1 to 3 forgot French", "--by", "bo")
    assert "bo went back to what came out of round 0" in text
    place = next_place(tree)
    assert (place.reference.sha256, place.strengths["policy"]) == ("policy-0", 0.0)
    assert len(tree.manifests()) == 4 and sorted(place.policies) == [0, 1, 2, 3]


def test_a_rollback_can_go_back_to_what_a_person_decided(tree):
    history = History(tree.manifests(), {1: [decision("promote", "policy-1")]})
    assert history.rolled_back(1)["sha256"] == "policy-1"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("gate", "demo", 1, "--promote", "--reason", "x"), "rounds 2 to 3 were built on round 1"),
        (("gate", "demo", 3, "--refuse", "--reason", "x"), "nothing to refuse"),
        (("gate", "demo", 3, "--promote"), "a decision needs a reason"),
        (("gate", "demo", 9), "round 9 of run 'demo' is not committed; 4 rounds are"),
        (("gate", "demo", "--promote", "--refuse"), "contradict each other"),
        (
            ("rollback", "demo", 3, "--reason", "x"),
            "cannot be gone back to; allowed: rounds 0 to 2",
        ),
        (("gate", "other"), "no round of run 'other' is committed"),
    ],
)
def test_what_cannot_be_decided_is_refused_with_the_next_step(tree, tso, command, words):
    with pytest.raises(ConfigError, match=words):
        tso(*command)
    assert not any(tree.decisions().values())


def test_nobody_decides_while_a_flow_run_works_on_the_run(tree, tso):
    holder = Lease(tree.store, f"{tree.folder}/lease.json", Holder.here("weekly"))
    with holder, pytest.raises(HeldError, match="held by flow run weekly"):
        tso("gate", "demo", "--promote", "--reason", "x")


def test_nobody_decides_once_people_were_asked_about_the_next_round(tree, tso):
    tree.write_round(4, "annotation/batch.json", {})
    with pytest.raises(ConfigError, match="round 4 of 'demo' has asked people"):
        tso("rollback", "demo", 0, "--reason", "x")


def test_a_round_that_had_begun_is_said_to_begin_again(tree, tso):
    tree.write_round(4, "stages/collect-train.json", {})
    assert "it had begun" in tso("rollback", "demo", 0, "--reason", "x")


def test_a_fork_takes_the_decision_along(tree, tso):
    tso("gate", "demo", "--promote", "--reason", "x")
    for name in ("frozen.json", "splits.json"):
        tree.write(name, {})
    for index, one in enumerate(tree.manifests()):
        tree.write_round(index, "manifest.json", {**one, "report": "r/report.html"})
    fork(tree.store, "demo", 3, "new")
    assert [one["action"] for one in RunTree(tree.store, "new").decisions()[3]] == ["promote"]


def test_the_gates_figures_are_printed_with_what_could_be_seen(tso):
    text = tso("gate", "demo", 2)
    row = next(line for line in text.splitlines() if " win " in line)
    for figure in ("64", "+0.010", "-0.100 to +0.100", "0.400", "0.170", "2,322"):
        assert figure in row
