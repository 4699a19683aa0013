"""`tso gc`: what no run needs goes, after its time; what a run needs never does."""

import os
import time

import pytest
import yaml
from typer.testing import CliRunner

from flows import maintenance
from flows.cli.app import app
from infra import garbage
from infra.fsck import verify_run
from infra.garbage import DAY, Grace, piles_of, throw_away
from infra.place import open_stage
from infra.run_tree import RunTree
from infra.storage import open_store
from tasks.errors import StorageError
from tests.made_runs import made_run
from tests.small_config import plain_small, small_place

LATER = time.time() + 10 * DAY
"""Past the grace of everything but unfinished stages."""


@pytest.fixture
def tree(tmp_path):
    return made_run(tmp_path)


def stage_of(tree, name, **more):
    """A stage that no run names."""
    place = small_place(root=tree.store.root, run="made")
    return open_stage(place, "judge", settings=name, inputs={}, semantics=1, **more)


def finished(tree, name="old"):
    stage = stage_of(tree, name)
    stage.commit(tables={}, facts={"name": name})
    return stage


def roles(piles):
    return {one.role: one.count for one in piles}


def test_nothing_of_a_run_is_ever_named(tree):
    assert piles_of(tree.store, Grace(stages=0, unfinished=0, uploads=0), LATER) == []


def test_a_finished_stage_that_no_run_names_goes_after_its_grace(tree):
    stage = finished(tree)
    assert piles_of(tree.store, Grace()) == []
    [pile] = piles_of(tree.store, Grace(), LATER)
    assert pile.folders == (stage.folder,) and pile.size > 0
    assert throw_away(tree.store, [pile], 0) == pile.size
    assert tree.store.list(stage.folder) == tree.store.list("gc") == []
    assert verify_run(tree.store, "made").problems == ()


def test_a_stage_that_another_run_names_stays_when_the_first_run_is_deleted(tree, tmp_path):
    made_run(tmp_path, "other")
    for path in tree.store.list("runs/made"):
        tree.store.delete(path)
    assert piles_of(tree.store, Grace(), LATER) == []
    for path in tree.store.list("runs/other"):
        tree.store.delete(path)
    [pile] = piles_of(tree.store, Grace(), LATER)
    assert len(pile.folders) == 4


def test_a_stage_that_is_not_finished_has_a_longer_grace(tree):
    stage = stage_of(tree, "begun")
    tree.store.write(f"{stage.folder}/shards/00000-aa.parquet", b"x")
    assert piles_of(tree.store, Grace(), LATER) == []
    piles = piles_of(tree.store, Grace(), time.time() + 31 * DAY)
    assert roles(piles) == {"stages that nobody finished": 1}
    assert throw_away(tree.store, piles, 0) == 1 and tree.store.list(stage.folder) == []


def test_shards_and_lost_races_of_a_finished_stage_go_and_the_stage_stays(tree):
    [manifest] = [one for one in tree.store.list("stages/pair") if one.endswith("manifest.json")]
    folder = manifest.removesuffix("/manifest.json")
    for name in ("shards/00000.json", "shards/00000-aa.parquet", "rows-bb.parquet"):
        tree.store.write(f"{folder}/{name}", b"{}")
    piles = piles_of(tree.store, Grace(), LATER)
    assert roles(piles) == {"shards and other copies in finished stages": 3}
    throw_away(tree.store, piles, 0)
    assert verify_run(tree.store, "made").problems == ()
    assert not any("shards" in path or "bb" in path for path in tree.store.list(folder))


def test_journals_spending_and_leases_stay(tree):
    kept = (
        "journals/judge/aa/1/000.jsonl",
        "runs/made/spending/1/000.jsonl",
        "runs/made/lease.json",
    )
    for path in kept:
        tree.store.write(path, b"{}")
    assert piles_of(tree.store, Grace(stages=0, unfinished=0, uploads=0), LATER) == []


def test_probes_and_unfinished_writes_of_killed_processes_go(tree):
    tree.store.write(".probe/aa-w", b"x")
    half = tree.store.root.removeprefix("file://") + "/.tmp/half"
    with open(half, "wb") as stream:
        stream.write(b"half")
    piles = piles_of(tree.store, Grace(), LATER)
    assert roles(piles) == {"probes": 1, "uploads left behind": 1}
    throw_away(tree.store, piles, 0)
    assert not os.path.exists(half) and tree.store.list(".probe") == []


def test_a_stage_that_a_run_finds_while_it_is_condemned_comes_back(tree, monkeypatch):
    stage = finished(tree)
    before = tree.store.read(f"{stage.folder}/manifest.json")
    piles = piles_of(tree.store, Grace(), LATER)

    def noted_meanwhile(seconds):
        assert not tree.store.exists(f"{stage.folder}/manifest.json")
        RunTree(tree.store, "new").write_round(0, "stages/judge.json", {"uri": stage.uri})

    monkeypatch.setattr(garbage.time, "sleep", noted_meanwhile)
    assert throw_away(tree.store, piles) == 0
    assert tree.store.read(f"{stage.folder}/manifest.json") == before
    assert stage.finished() is not None and tree.store.list("gc") == []


def test_a_stage_that_is_done_again_while_it_is_condemned_stays(tree, monkeypatch):
    stage = finished(tree)
    piles = piles_of(tree.store, Grace(), LATER)
    monkeypatch.setattr(garbage.time, "sleep", lambda seconds: finished(tree))
    throw_away(tree.store, piles)
    assert stage.finished() is not None


def test_the_next_collector_ends_what_a_killed_one_began(tree, monkeypatch):
    named, unnamed = finished(tree, "named"), finished(tree, "unnamed")
    piles = piles_of(tree.store, Grace(), LATER)

    class Killed(BaseException):
        pass

    def dies(seconds):
        raise Killed

    monkeypatch.setattr(garbage.time, "sleep", dies)
    with pytest.raises(Killed):
        throw_away(tree.store, piles)
    assert named.finished() is None and len(tree.store.list("gc")) == 2
    RunTree(tree.store, "new").write_round(0, "stages/judge.json", {"uri": named.uri})
    monkeypatch.undo()
    throw_away(tree.store, [], 0)
    assert named.finished() is not None and tree.store.list(unnamed.folder) == []
    assert tree.store.list("gc") == []


def test_a_run_whose_objects_cannot_be_read_stops_the_collector(tree, monkeypatch):
    finished(tree)

    def refuses(path):
        raise StorageError("the store refused")

    monkeypatch.setattr(tree.store, "read", refuses)
    with pytest.raises(StorageError, match="refused"):
        piles_of(tree.store, Grace(), LATER)


def test_the_command_shows_first_and_deletes_when_told_to(tree, tmp_path, monkeypatch):
    monkeypatch.setattr(garbage.time, "sleep", lambda seconds: None)
    stage = finished(tree)
    preset = tmp_path / "preset.yaml"
    preset.write_text(yaml.safe_dump(plain_small(storage__root=tree.store.root)), encoding="utf-8")
    arguments = ["gc", "--preset", str(preset), "--grace-days", "0"]
    shown = CliRunner().invoke(app, arguments).output
    assert "stages that no run names" in shown and "nothing was deleted" in shown
    assert stage.finished() is not None
    assert "are free again" in CliRunner().invoke(app, [*arguments, "--delete"]).output
    assert stage.finished() is None and tree.store.list("gc") == []


def test_the_flow_counts_at_first_and_deletes_when_told_to(tree, tmp_path, monkeypatch):
    monkeypatch.setattr(garbage.time, "sleep", lambda seconds: None)
    stage = finished(tree)
    preset = tmp_path / "preset.yaml"
    preset.write_text(yaml.safe_dump(plain_small(storage__root=tree.store.root)), encoding="utf-8")
    counted = maintenance.garbage.fn(str(preset), grace_days=0.0)
    assert counted.message.endswith("1 stages that no run names; nothing was deleted")
    assert stage.finished() is not None
    deleted = maintenance.garbage.fn(str(preset), delete=True, grace_days=0.0)
    assert deleted.message.endswith("bytes freed") and stage.finished() is None


@pytest.mark.service
def test_on_s3_uploads_in_parts_are_given_up_by_their_age(s3):
    store = open_store(s3)
    store._backend._call("create_multipart_upload", Key=store._backend._key("stages/w"))
    assert piles_of(store, Grace()) == []
    piles = piles_of(store, Grace(), time.time() + 2 * DAY)
    assert roles(piles) == {"uploads left behind": 1}
    throw_away(store, piles, 0)
    assert store.uploads() == []
