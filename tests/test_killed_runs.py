"""The real command killed with SIGKILL at three places, beside an undisturbed run."""

import json

import pytest

from benchmarks.soak.kills import Kill, survive, undisturbed
from benchmarks.soak.watched import WatchedRun
from tests.small_run import LONGER, small_preset

pytestmark = pytest.mark.slow

ROUNDS = 1


def is_begun(run, verb):
    """Whether an item of a `verb` stage is in the item log."""
    stages = {path.name for path in run.work.glob(f"stages/{verb}/*/*")}
    return any(stage in stages for stage, _ in run.read_items())


def has_checkpoint(run):
    return any(run.work.glob("stages/train/*/*/checkpoints/step-*/DONE"))


KILLS = [
    Kill(target="flow", moment=lambda run: is_begun(run, "sample")),
    Kill(target="supervisor", moment=lambda run: is_begun(run, "score")),
    Kill(target="child", moment=has_checkpoint),
]


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calm")
    run = WatchedRun(folder / "run", str(small_preset(folder)), ROUNDS, LONGER)
    undisturbed(run)
    return run


@pytest.fixture(scope="module")
def hunted(calm):
    return WatchedRun(calm.folder.parent / "hunted", calm.command[4], ROUNDS, LONGER)


@pytest.fixture(scope="module")
def outcome(hunted):
    return survive(hunted, KILLS)


def test_each_kill_struck_where_it_should_and_only_the_flows_needs_a_restart(outcome):
    struck = [(one.target, one.verb) for one in outcome.struck]
    assert struck == [("flow", "sample"), ("supervisor", "score"), ("child", "train")]
    assert (outcome.missed, outcome.restarts) == (0, 1)


def test_nothing_that_was_committed_is_worked_on_again(outcome, hunted, calm):
    assert outcome.redone == []
    assert set(hunted.read_items()) == set(calm.read_items())


def test_every_stage_and_round_ends_like_the_undisturbed_run(outcome, hunted, calm):
    assert hunted.stage_manifests().keys() == calm.stage_manifests().keys()
    assert hunted.stage_manifests() == calm.stage_manifests()
    assert hunted.round_manifests() == calm.round_manifests()
    assert len(hunted.round_manifests()) == ROUNDS


def test_training_went_on_from_its_checkpoint(outcome, hunted):
    [progress] = hunted.work.glob("stages/train/*/*/progress.jsonl")
    events = [json.loads(line) for line in progress.read_text().splitlines()]
    [resumed] = [one for one in events if one["event"] == "resumed"]
    assert resumed["step"] >= 4


def test_the_same_command_once_more_does_nothing(outcome, hunted):
    before = len(hunted.read_items())
    assert hunted.start().wait() == 0
    assert len(hunted.read_items()) == before
    assert "all 1 rounds are done already; nothing to do" in hunted.log.read_text()


def test_no_process_is_left(outcome, hunted, calm):
    assert hunted.processes_left() == [] == calm.processes_left()
