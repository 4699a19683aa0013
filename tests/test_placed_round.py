"""A whole round with every verb that takes long on a work pool, beside the same round done here."""

import pytest

from tests.pool_worker import EVERYWHERE, POOL, PoolWorker
from tests.whole_runs import error_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

SHARED = {"deployment": POOL, "workers": 2}


@pytest.fixture(scope="module")
def placed(story, tmp_path_factory):
    """The first round of `story` in a store of its own; its manifest and who worked for it."""
    folder = tmp_path_factory.mktemp("placed")
    shared = dict.fromkeys(("judge", "score"), SHARED)
    sample = {"deployment": POOL, "but": {"policy": SHARED}}
    placement = {**EVERYWHERE, **shared, "sample": sample, "poll_seconds": 0.2}
    world = story.world.with_preset(storage={"root": f"file://{folder}/store"}, placement=placement)
    with pytest.MonkeyPatch.context() as patch, PoolWorker() as worker:
        patch.setenv("TSO_WORK", str(folder / "work"))
        patch.delenv("TSO_STORE", raising=False)
        patch.setattr("tasks.responses.SHARD_PROMPTS", 4)
        patch.setattr("tasks.score_rows.SHARD_ROWS", 8)
        state = world.rounds()
        assert state.is_completed(), error_of(state)
        [manifest] = world.tree().manifests()
        return manifest, worker.flow_runs()


def test_its_stages_are_those_of_the_local_round(story, placed):
    manifest, _ = placed
    assert outcome(manifest) == outcome(story.manifests[0])


def outcome(manifest):
    """All that a round comes to, without where its store is."""
    stages = {
        role: (one["content"], one["rows"], one["uri"].rpartition("/stages/")[2])
        for role, one in manifest["artifacts"].items()
    }
    kept = ("counts", "figures", "gate", "strengths", "usefulness", "contributions", "seed")
    return {"stages": stages, "policy": manifest["policy"]["sha256"]} | {
        name: manifest[name] for name in kept
    }


def test_every_verb_was_done_by_flow_runs_of_its_own(placed):
    _, sent = placed
    names = sorted(one.name.removesuffix(" · round 0") for one in sent)
    assert [one.state.name for one in sent] == ["Completed"] * len(sent)
    assert {name.partition(" · ")[0] for name in names} == set(EVERYWHERE)
    parts = [name for name in names if name.startswith("sample · policy · train")]
    assert parts == [f"sample · policy · train · part {number} of 2" for number in (1, 2)]
    assert not [name for name in names if "human" in name], "recorded responses are read here"


def test_a_round_does_not_begin_where_nobody_could_work_for_it(story):
    world = story.world.with_preset(placement={"train": "nowhere"})
    error = error_of(world.rounds(run="nowhere"))
    assert "tso-train/nowhere" in str(error) and "prefect --no-prompt deploy --all" in str(error)
    assert world.tree("nowhere").claims() == []
