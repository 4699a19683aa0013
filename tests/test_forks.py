"""Forks: what the new run has of the old one, and what is refused."""

import pytest

from infra.forks import check_forked, fork, origin_of
from infra.run_tree import RunTree
from tasks.canonical import digest
from tasks.claims import new_claim
from tasks.collect import used_prompts
from tasks.errors import ConfigError
from tests.made_runs import PROMPTS, made_run
from tests.small_config import small_place


@pytest.fixture
def old(tmp_path):
    return made_run(tmp_path, rounds=3)


@pytest.fixture
def new(old):
    return RunTree(old.store, "new")


def test_a_fork_has_the_rounds_up_to_the_one_it_branches_from(old, new):
    fork(old.store, "made", 1, "new")
    assert [one["artifacts"] for one in new.manifests()] == [
        one["artifacts"] for one in old.manifests()[:2]
    ]
    assert new.read("frozen.json") == old.read("frozen.json")
    assert new.read("splits.json") == old.read("splits.json")
    assert new_claim("f", len(new.manifests()), 1, None).first_index == 2


def test_a_fork_copies_no_stage(old, new):
    before = old.store.list("stages")
    fork(old.store, "made", 1, "new")
    assert old.store.list("stages") == before
    assert new.roles_done(1) == old.roles_done(1)


def test_rounds_of_a_fork_name_the_fork_and_its_own_report(old, new):
    fork(old.store, "made", 0, "new")
    [manifest] = new.manifests()
    assert manifest["run"] == "new"
    assert manifest["report"] == old.store.uri("runs/new/rounds/00000/report.html")
    assert old.store.read("runs/new/rounds/00000/report.html") == b"<p>report"


def test_a_fork_knows_where_it_comes_from(old, new):
    origin = {"run": "made", "round_index": 1, "manifest": digest(old.manifests()[1])}
    assert fork(old.store, "made", 1, "new") == origin == origin_of(new)
    assert origin_of(old) is None


def test_prompts_of_the_rounds_before_are_used_up_in_the_fork(old, new):
    fork(old.store, "made", 1, "new")
    place = small_place(root=old.store.root, run="new", round_index=2)
    used = {one for ids in used_prompts(place) for one in ids.to_pylist()}
    assert used == {one.prompt_id for one in PROMPTS}


@pytest.mark.parametrize(
    ("run", "round_index", "name", "said"),
    [
        ("made", 3, "new", "round 3 of run 'made' is not committed: rounds 0 to 2"),
        ("made", -1, "new", "round -1 of run 'made' is not committed"),
        ("nobody", 0, "new", "round 0 of run 'nobody' is not committed: no round"),
        ("made", 0, "made", "there is a run 'made'"),
        ("made", 0, "../up", "run name '../up': use 1 to 63"),
        ("Made", 0, "new", "run name 'Made'"),
    ],
)
def test_a_fork_that_cannot_be_is_refused(old, run, round_index, name, said):
    before = old.store.list("runs")
    with pytest.raises(ConfigError, match=said):
        fork(old.store, run, round_index, name)
    assert old.store.list("runs") == before


def test_a_fork_is_made_once(old):
    fork(old.store, "made", 1, "new")
    for round_index in (0, 1):
        with pytest.raises(ConfigError, match="there is a run 'new'"):
            fork(old.store, "made", round_index, "new")


@pytest.mark.parametrize("writes", range(1, 14))
def test_a_fork_that_was_interrupted_is_no_run_until_it_is_finished(old, new, writes, monkeypatch):
    kept, done = type(old.store).write, []

    def stops(store, path, data):
        done.append(path)
        if len(done) > writes:
            raise KeyboardInterrupt
        kept(store, path, data)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(type(old.store), "write", stops)
        fork(old.store, "made", 1, "new")
    assert new.manifests() == []
    with pytest.raises(ConfigError, match=r"unfinished fork of made@1; finish it with `tso fork"):
        check_forked(new)
    with pytest.raises(ConfigError, match="there is a run 'new'"):
        fork(old.store, "made", 0, "new")
    fork(old.store, "made", 1, "new")
    check_forked(new)
    assert len(new.manifests()) == 2 and new.roles_done(0) == old.roles_done(0)
