"""People decide over the gate: what the next round starts from, and what stays as it was."""

import json
from dataclasses import asdict

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
from tasks.refresh import flattened
from tasks.rounds import Rounds, place_of
from tests.small_config import checkpoint, plain_small, small_config, small_place

OUTCOMES = ("promoted", "refused", "promoted", "refused")


def manifest(index, outcome, reference_in, gain=0.01):
    policy = asdict(checkpoint(f"policy-{index}"))
    return {
        "round_index": index,
        "policy": policy,
        "reference_in": reference_in,
        "reference_out": reference_in if outcome == "refused" else policy,
        "strengths": {"policy": float(index), "large": 2.0},
        "gate": {
            "outcome": outcome,
            "reasons": ["win fell"],
            "slices": {
                "win": {
                    "n": 64,
                    "estimate": gain,
                    "low": -0.1,
                    "high": 0.1,
                    "p_worse": 0.4,
                    "minimum_detectable": 0.17,
                    "n_needed": 2322,
                }
            },
        },
    }


def made(tree, outcomes=OUTCOMES, gains=(0.01,) * 4):
    """Committed rounds, each from what the one before left."""
    reference = asdict(checkpoint("sft"))
    for index, (outcome, gain) in enumerate(zip(outcomes, gains, strict=False)):
        one = manifest(index, outcome, reference, gain)
        tree.write_round(index, "manifest.json", one)
        reference = one["reference_out"]
    return tree


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


def decision(action, sha256, to_round=None):
    return {
        "action": action,
        "reason": "r",
        "by": "b",
        "at": "2026-01-01T00:00:00+00:00",
        "reference": asdict(checkpoint(sha256)),
        "to_round": to_round,
    }


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


STOP = {"metric": "win", "min_gain": 0.005, "patience": 2}


@pytest.mark.parametrize(
    ("outcomes", "gains", "flat"),
    [
        ("pp", (0.02, 0.01), False),  # levels 0.02, 0.03
        ("ppp", (0.02, 0.003, 0.003), False),  # 0.026 is 0.006 above 0.02
        ("ppp", (0.02, 0.002, 0.002), True),  # 0.024 is only 0.004 above
        ("ppp", (0.02, -0.01, 0.02), False),  # 0.02, 0.01, 0.03
        ("pppp", (0.02, 0.03, -0.01, 0.0), True),  # the best one, 0.05, is two rounds ago
        ("prr", (0.02, 0.05, 0.05), True),  # what was refused gains nothing
        ("r", (0.05,), False),  # fewer rounds than the patience
        ("pp", (-0.01, -0.01), True),  # never above the SFT model
    ],
)
def test_a_run_ends_when_its_rounds_gain_no_more(tmp_path, outcomes, gains, flat):
    names = {"p": "promoted", "r": "refused"}
    tree = RunTree(open_store(f"file://{tmp_path}/store"), "r")
    made(tree, [names[one] for one in outcomes], gains)
    place = small_place(root=tree.store.root, round_index=len(outcomes))
    settings = small_config(**stopping()).refresh
    why = flattened(settings, place)
    assert bool(why) == flat
    assert not flat or "a gain below 0.005 ends the run" in why
    assert flattened(small_config().refresh, place) == ""


def stopping(**changes):
    metrics = {"win": {"kind": "check_pass_rate"}, "words": {"kind": "length"}}
    return {"evaluation__metrics": metrics, "refresh__early_stop": STOP | changes}


def test_a_rollback_goes_back_to_the_level_of_that_round(tmp_path):
    tree = RunTree(open_store(f"file://{tmp_path}/store"), "r")
    made(tree, ["promoted"] * 3, (0.02, -0.05, 0.0))
    tree.add_decision(1, decision("rollback", "policy-0", to_round=0))
    place = small_place(root=tree.store.root, round_index=3)
    # Levels 0.02, back at 0.02, 0.02: nothing was gained since round 0.
    assert "changed by +0.0000" in flattened(small_config(**stopping()).refresh, place)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metric": "wins"}, "refresh.early_stop.metric is 'wins'; evaluation.metrics has: win"),
        ({"metric": "words"}, "neither more nor less is better"),
    ],
)
def test_an_early_stop_names_a_metric_that_can_gain(changes, words):
    with pytest.raises(ConfigError, match=words):
        small_config(**stopping(**changes))


def test_an_early_stop_names_what_the_gate_sees():
    with pytest.raises(ConfigError, match="which the gate does not see"):
        small_config(**stopping(), refresh__guards=["safety"])
