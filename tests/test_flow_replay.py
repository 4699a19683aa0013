"""Whole rounds that train on pairs of earlier rounds again."""

from typing import Any, NamedTuple

import pytest

from infra.artifacts import open_artifact
from infra.work import work_root
from tasks.records import Artifact
from tasks.training.examples import read_table
from tests.whole_runs import World, children, small_world

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

BUFFER = {"kind": "fifo_buffer", "number": 12, "capacity": 24, "decay": 0.5}
SOLVED = 10.0
"""Nats; pairs lie on both sides of it."""


class Replayed(NamedTuple):
    world: World
    manifests: list[dict[str, Any]]
    examples: list[dict[str, Any]]
    """Of the second round's training."""


PAIRS = {
    "rule": {"kind": "all_above_margin"},
    "filters": [{"kind": "equal_texts"}, {"kind": "already_solved", "margin": SOLVED}],
    "held_out_share": 0.2,
}


@pytest.fixture(scope="module")
def two_rounds(prefect_server, tmp_path_factory):
    """A run of two rounds; the second replays twelve pairs of the first."""
    folder = tmp_path_factory.mktemp("replay")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TSO_STORE", raising=False)
        patch.setenv("TSO_WORK", str(folder / "work"))
        world = small_world(folder, pairs=PAIRS).with_preset(replay=BUFFER)
        state = world.rounds("again", rounds=2)
        assert state.is_completed(), state.message
        manifests = world.tree("again").manifests()
        own = {row["pair_id"] for row in rows(world, manifests[1], "pair")}
        made = [
            read_table(path).to_pylist()
            for path in (work_root() / "stages/train").rglob("examples.arrow")
        ]
    [examples] = [one for one in made if own & {row["example_id"] for row in one}]
    return Replayed(world, manifests, examples)


def rows(world, manifest, role, name="rows"):
    return world.table(manifest, role, name).to_pylist()


def counts(world, manifest, role):
    return open_artifact(world.store, Artifact(**manifest["artifacts"][role])).counts


def test_the_first_round_has_nothing_to_replay_and_is_the_plain_round(two_rounds):
    first = two_rounds.manifests[0]
    plain = two_rounds.world.with_preset(replay=None)
    assert plain.rounds("plain").is_completed()
    [same] = plain.tree("plain").manifests()
    assert children() == [], "everything was done already"
    only = set(first["artifacts"]) - set(same["artifacts"])
    assert only == {"replay"} and counts(plain, first, "replay")["replayed"] == 0
    assert same["artifacts"] == {
        role: one for role, one in first["artifacts"].items() if role != "replay"
    }
    assert same["policy"] == first["policy"]


def test_a_round_trains_on_pairs_that_an_earlier_one_trained_on(two_rounds):
    world, (first, second), _ = two_rounds
    before = {row["pair_id"]: row for row in rows(world, first, "pair")}
    replayed = rows(world, second, "replay", "pairs")
    assert len(replayed) == 12 == counts(world, second, "replay")["replayed"]
    assert {row["pair_id"] for row in replayed} <= before.keys()
    joined = rows(world, second, "replay-pairs")
    own = rows(world, second, "pair")
    assert sorted(row["pair_id"] for row in joined) == sorted(
        row["pair_id"] for row in [*own, *replayed]
    )
    held_out = rows(world, second, "replay-pairs", "held_out")
    assert held_out == rows(world, second, "pair", "held_out")


def test_replayed_prompts_weigh_the_decay_and_fresh_ones_1(two_rounds):
    world, (_, second), _ = two_rounds
    old = {row["prompt_id"] for row in rows(world, second, "replay", "pairs")}
    sums: dict[str, float] = {}
    for row in rows(world, second, "replay-pairs"):
        sums[row["prompt_id"]] = sums.get(row["prompt_id"], 0.0) + row["weight"]
    assert {name: round(one, 9) for name, one in sums.items() if name in old} == dict.fromkeys(
        old, 0.5
    )
    assert {round(one, 9) for name, one in sums.items() if name not in old} == {1.0}


def test_replayed_pairs_are_scored_by_the_rounds_own_reference(two_rounds):
    world, (_, second), examples = two_rounds
    scores = {row["response_id"]: row for row in rows(world, second, "score-reference")}
    by_id = {row["example_id"]: row for row in examples}
    trained = [row for row in rows(world, second, "replay", "pairs") if row["pair_id"] in by_id]
    assert trained
    for row in trained:
        one = by_id[row["pair_id"]]
        assert one["chosen_logps"] == scores[row["chosen_id"]]["token_logps"]
        assert one["rejected_logps"] == scores[row["rejected_id"]]["token_logps"]


def test_what_the_reference_has_learned_is_dropped_again_and_counted(two_rounds):
    world, (_, second), examples = two_rounds
    logps = {row["response_id"]: row["logp"] for row in rows(world, second, "score-reference")}
    joined = rows(world, second, "replay-pairs")
    solved = {
        row["pair_id"]
        for row in joined
        if logps[row["chosen_id"]] - logps[row["rejected_id"]] > SOLVED
    }
    assert solved & {row["pair_id"] for row in rows(world, second, "replay", "pairs")}
    assert solved.isdisjoint(row["example_id"] for row in examples)
    assert counts(world, second, "train")["dropped_already_solved"] == len(solved)


def test_counters_lie_in_the_stage_by_pair_id(two_rounds):
    world, (_, second), _ = two_rounds
    replayed = {row["pair_id"] for row in rows(world, second, "replay", "pairs")}
    memory = rows(world, second, "replay")
    assert len(memory) <= BUFFER["capacity"]
    for row in memory:
        assert row["times_replayed"] == int(row["pair_id"] in replayed)
    own = {row["pair_id"] for row in rows(world, second, "pair")}
    assert own <= {row["pair_id"] for row in memory}


def test_quotas_and_strengths_know_the_rounds_own_responses_alone(two_rounds):
    world, (_, second), _ = two_rounds
    own = rows(world, second, "pair") + rows(world, second, "pair", "held_out")
    assert sum(row["pairs"] for row in second["pair_cells"]) == len(own)


def test_a_run_that_does_the_same_replays_the_same(two_rounds):
    world = two_rounds.world.with_preset(replay=BUFFER)
    assert world.rounds("twin", rounds=2).is_completed()
    same = world.tree("twin").manifests()
    assert children() == []
    assert [one["artifacts"] for one in same] == [one["artifacts"] for one in two_rounds.manifests]


def test_the_report_says_how_many_pairs_were_replayed(two_rounds):
    page = two_rounds.world.store.read("runs/again/rounds/00001/report.html").decode()
    assert "Replayed pairs" in page
