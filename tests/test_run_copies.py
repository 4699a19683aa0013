"""`tso export` and `tso import`: a run elsewhere, whole, and able to go on."""

import tarfile

import pytest
import yaml
from typer.testing import CliRunner

from flows.cli.app import app
from infra.archives import packed, unpacked
from infra.fsck import verify_run
from infra.run_copies import MARK, How, check_copied, copy_run
from infra.run_tree import RunTree
from infra.storage import open_store
from tasks.errors import ConfigError, ConflictError, DataError, StorageError
from tests.made_runs import made_run
from tests.small_config import plain_small
from tests.whole_runs import nothing_was_done


@pytest.fixture
def tree(tmp_path):
    return made_run(tmp_path, rounds=2)


@pytest.fixture
def target(tmp_path):
    return open_store(f"file://{tmp_path}/target")


def objects(store, prefix=""):
    return {path: store.read(path) for path in store.list(prefix)}


def test_a_copy_has_the_same_stages_and_rounds_and_addresses_of_its_own(tree, target):
    copied = copy_run(tree.store, target, "made")
    assert objects(target, "stages") == objects(tree.store, "stages") and copied.stages == 4
    ours, theirs = tree.manifests(), RunTree(target, "made").manifests()
    assert [one["policy"] for one in theirs] == [one["policy"] for one in ours]
    assert theirs[0]["report"] == target.uri("runs/made/rounds/00000/report.html")
    assert not any(tree.store.root.encode() in data for data in objects(target, "runs").values())
    assert verify_run(target, "made").problems == ()


def test_a_second_copy_copies_nothing_and_a_later_one_what_is_new(tree, target, tmp_path):
    copy_run(tree.store, target, "made")
    before = objects(target)
    assert copy_run(tree.store, target, "made").objects == 0 and objects(target) == before
    made_run(tmp_path, rounds=3)
    again = copy_run(tree.store, target, "made")
    assert 0 < again.objects < len(before)
    assert len(RunTree(target, "made").manifests()) == 3


def test_a_copy_that_is_interrupted_anywhere_is_no_run_yet_and_is_finished_by_the_next(
    tree, tmp_path, monkeypatch
):
    class Killed(BaseException):
        pass

    whole = open_store(f"file://{tmp_path}/whole")
    copy_run(tree.store, whole, "made")
    for allowed in range(1, 40, 4):
        target = open_store(f"file://{tmp_path}/target-{allowed}")
        left = [allowed]
        write, put = target.write, target.put_file

        def dies(do, *arguments, left=left):
            if not left[0]:
                raise Killed
            left[0] -= 1
            return do(*arguments)

        monkeypatch.setattr(target, "write", lambda *a, write=write: dies(write, *a))
        monkeypatch.setattr(target, "put_file", lambda *a, put=put: dies(put, *a))
        try:
            copy_run(tree.store, target, "made")
        except Killed:
            with pytest.raises(ConfigError, match="unfinished copy from file://"):
                check_copied(RunTree(target, "made"))
        monkeypatch.undo()
        copy_run(tree.store, target, "made")
        check_copied(RunTree(target, "made"))
        assert len(objects(target)) == len(objects(whole))
        assert verify_run(target, "made").problems == ()


def test_a_run_that_has_gone_on_elsewhere_is_left_alone(tree, target):
    copy_run(tree.store, target, "made")
    theirs = RunTree(target, "made")
    theirs.write_round(2, "manifest.json", {**theirs.manifests()[1], "round_index": 2})
    before = objects(target)
    assert copy_run(tree.store, target, "made").objects == 0 and objects(target) == before


def test_another_run_of_that_name_is_refused(tree, target):
    RunTree(target, "made").write_round(0, "manifest.json", {"round_index": 0, "run": "made"})
    with pytest.raises(ConfigError, match="has another run 'made'"):
        copy_run(tree.store, target, "made")


def test_the_same_stage_with_another_outcome_is_a_conflict(tree, target, tmp_path):
    from infra.place import open_stage
    from tests.small_config import small_place

    def sampled(root, outcome):
        place = small_place(root=root, run="made")
        stage = open_stage(place, "sample", settings="hot", inputs={}, semantics=1)
        stage.commit(tables={}, facts={"drawn": outcome})
        return stage.uri

    uri = sampled(tree.store.root, "heads")
    sampled(target.root, "tails")
    tree.write_round(2, "stages/sample.json", {"uri": uri})
    with pytest.raises(ConflictError, match="both stores did"):
        copy_run(tree.store, target, "made")


def test_what_is_damaged_or_missing_is_not_copied(tree, target):
    [path] = [one for one in tree.store.list("stages/train") if "/rows-" in one]
    data = tree.store.read(path)
    tree.store.write(path, data[:-1] + b"?")
    with pytest.raises(StorageError, match="the bytes changed"):
        copy_run(tree.store, target, "made")
    tree.store.write(path, data)
    [manifest] = [one for one in tree.store.list("stages/train") if one.endswith("manifest.json")]
    tree.store.delete(manifest)
    with pytest.raises(StorageError, match="`tso fsck` says what to do"):
        copy_run(tree.store, target, "made")
    with pytest.raises(ConfigError, match="no run 'none'"):
        copy_run(tree.store, target, "none")


def test_a_copy_brings_back_what_the_other_store_lost_and_what_is_damaged_there_if_asked(
    tree, target
):
    copy_run(tree.store, target, "made")
    gone, bad = (
        next(path for path in target.list(f"stages/{verb}") if "/rows-" in path)
        for verb in ("train", "pair")
    )
    [manifest] = [path for path in target.list("stages/collect") if path.endswith("manifest.json")]
    data = target.read(bad)
    target.delete(gone)
    target.write(bad, data[:-1] + b"?")
    target.write(manifest, b"{")
    assert copy_run(tree.store, target, "made").objects == 2
    assert [one.uri for one in verify_run(target, "made").problems] == [target.uri(bad)]
    assert copy_run(tree.store, target, "made", How(verify=True)).objects == 1
    assert target.read(bad) == data and verify_run(target, "made").problems == ()


def test_leases_stay_and_journals_are_copied_when_asked(tree, target):
    tree.write("lease.json", {})
    tree.store.write("journals/judge/aa/1/000.jsonl", b"{}")
    tree.store.write("runs/made/spending/1/000.jsonl", b"{}")
    copy_run(tree.store, target, "made")
    assert not target.exists("runs/made/lease.json") and target.list("journals") == []
    assert target.exists("runs/made/spending/1/000.jsonl")


def test_journals_go_with_the_run_when_asked(tree, target):
    tree.store.write("journals/judge/aa/1/000.jsonl", b"{}")
    copy_run(tree.store, target, "made", How(journals=True))
    assert target.read("journals/judge/aa/1/000.jsonl") == b"{}"


def test_a_file_holds_a_run_and_gives_it_back(tree, target, tmp_path):
    archive = tmp_path / "made.tar"
    with packed(archive) as store:
        copy_run(tree.store, store, "made")
    with unpacked(archive) as store:
        copy_run(store, target, "made")
    assert objects(target, "stages") == objects(tree.store, "stages")
    assert verify_run(target, "made").problems == ()
    assert [path.name for path in tmp_path.glob("*made.tar*")] == ["made.tar"]


def test_a_file_that_is_no_archive_or_names_places_outside_is_refused(tmp_path):
    (tmp_path / "no.tar").write_bytes(b"no tar")
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        tar.add(__file__, arcname="../outside")
    with tarfile.open(tmp_path / "link.tar", "w") as tar:
        member = tarfile.TarInfo("runs/a")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(member)
    for name, told in (("no", "is no archive"), ("bad", "no path in a store"), ("link", "no file")):
        with pytest.raises(DataError, match=told), unpacked(tmp_path / f"{name}.tar"):
            pass


def test_the_commands_copy_out_and_in_by_a_file(tree, tmp_path):
    def preset(name, root):
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(plain_small(storage__root=root)), encoding="utf-8")
        return str(path)

    def tso(*arguments):
        done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    archive = str(tmp_path / "made.tar")
    here, there = preset("here", tree.store.root), preset("there", f"file://{tmp_path}/there")
    assert "4 stages" in tso("export", "made", archive, "--preset", here)
    told = tso("import", archive, "--preset", there)
    assert f"go on with: tso run made --preset {there}" in told.replace("\n", " ")
    assert "nothing was copied" in tso("import", archive, "--preset", there)
    assert "all as it was written" in tso("fsck", "made", "--preset", there)


@pytest.mark.slow
@pytest.mark.service
def test_a_run_that_moved_to_s3_finds_its_work_there_and_goes_on(story, s3, tmp_path):
    target = open_store(s3)
    copy_run(story.world.store, target, "small")
    tree = RunTree(target, "small")
    before = tree.manifests()
    assert len(before) == 2 and not target.exists(f"runs/small/{MARK}")
    target.delete(f"{tree.round_folder(1)}/manifest.json")  # its last verb did not come to its end
    storage = {"storage": {"root": s3}}
    state = story.world.with_preset(**storage).rounds(run="small")
    assert state.is_completed()
    assert nothing_was_done(), "everything but the last verb was found finished"
    after = tree.manifests()
    assert [one["policy"] for one in after] == [one["policy"] for one in before]
    assert after[1]["artifacts"].keys() == before[1]["artifacts"].keys()
