"""Doors killed before each of their commits: what is there stays, and the end is the same."""

from collections import Counter

import pytest

from tests.door_calls import CALLS, left_in
from tests.killed import killed
from tests.killed_calls import SHARD, done
from tests.whole_runs import items

pytestmark = pytest.mark.slow


def left(folder):
    return left_in(f"file://{folder}/store")


@pytest.fixture(scope="module", params=CALLS)
def calm(request, tmp_path_factory):
    """A verb, its undisturbed call, what that left, and how often it began what."""
    folder = tmp_path_factory.mktemp(request.param)
    call = done(request.param, folder)
    return request.param, folder, call, left(folder), Counter(items(folder / "work"))


def test_a_door_that_is_killed_before_any_commit_leaves_what_it_would_have_left(calm, tmp_path):
    verb, folder, call, whole, begun = calm
    assert len(call.commits) > 1
    for number, at in enumerate(call.commits):
        here = tmp_path / str(number)
        killed(done, verb, here, number)
        before = left(here)
        assert before.items() < whole.items() and at not in before
        again = done(verb, here)
        assert set(again.commits) <= {*call.commits[number:], *notes(call.commits)}
        assert left(here) == whole
        assert str(again.result).replace(str(here), "") == str(call.result).replace(str(folder), "")
        twice = Counter(items(here / "work")) - begun
        assert set(twice) <= set(begun) and twice.total() == asked_again(at, call.commits)


def notes(commits):
    """The pointers of the round to its stages, which are written whenever a stage is passed."""
    return [path for path in commits if path.startswith("runs/")]


def asked_again(at, commits):
    """How many items lie in the shard that was about to be committed."""
    if "/shards/" not in at:
        return 0
    last = [path for path in commits if "/shards/" in path][-1]
    return 10 % SHARD if at == last else SHARD
