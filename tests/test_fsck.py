"""`tso fsck`: what a run names is there, or it is said what is not and what mends it."""

import json

import pytest
import yaml
from typer.testing import CliRunner

from flows.cli.app import app
from infra.fsck import verify_run
from infra.storage import open_store
from tasks.errors import ConfigError
from tests.made_runs import made_run
from tests.small_config import plain_small


@pytest.fixture
def tree(tmp_path):
    return made_run(tmp_path, rounds=2)


def table(store, verb, name="rows"):
    """Path of a table of the stage of `verb`."""
    [path] = [one for one in store.list(f"stages/{verb}") if f"/{name}-" in one]
    return path


def manifest(store, verb):
    [path] = [one for one in store.list(f"stages/{verb}") if one.endswith("/manifest.json")]
    return path


def test_a_healthy_run_has_no_problem_and_everything_was_read(tree, monkeypatch):
    found = verify_run(tree.store, "made")
    assert found.problems == () and found.stages == 4
    named = [
        json.loads(tree.store.read(path))
        for path in tree.store.list("stages")
        if path.endswith("manifest.json")
    ]
    assert found.files == sum(len(one["tables"]) for one in named) == 5
    assert found.size == sum(entry["size"] for one in named for entry in one["tables"].values())


def test_changed_bytes_are_found_by_their_hash_alone(tree):
    path = table(tree.store, "pair")
    tree.store.write(path, tree.store.read(path)[:-1] + b"?")
    assert verify_run(tree.store, "made", quick=True).problems == ()
    [problem] = verify_run(tree.store, "made").problems
    assert problem.uri == tree.store.uri(path) and problem.what == "damaged: its bytes changed"
    assert [(one.round_index, one.role) for one in problem.mentions] == [(0, "pair"), (1, "pair")]


@pytest.mark.parametrize("quick", [True, False])
def test_missing_and_truncated_files_are_found_also_without_hashes(tree, quick):
    gone, cut = table(tree.store, "train"), table(tree.store, "pair", "held_out")
    tree.store.delete(gone)
    tree.store.write(cut, b"PAR1")
    problems = {one.uri: one.what for one in verify_run(tree.store, "made", quick=quick).problems}
    assert problems.pop(tree.store.uri(gone)) == "missing"
    assert problems.pop(tree.store.uri(cut)).startswith("damaged: 4 bytes of ")
    assert problems == {}


def test_a_manifest_that_is_missing_or_changed_is_found(tree):
    gone, changed = manifest(tree.store, "train"), manifest(tree.store, "collect")
    tree.store.delete(gone)
    tree.store.write(changed, tree.store.read(changed).replace(b'"rows":2', b'"rows":3'))
    problems = {one.uri: one.what for one in verify_run(tree.store, "made").problems}
    assert problems[tree.store.uri(gone)] == "missing"
    assert "its seal does not fit" in problems[tree.store.uri(changed)] and len(problems) == 2


def test_what_mends_it_depends_on_whether_the_round_is_committed(tree):
    tree.store.delete(f"{tree.round_folder(1)}/manifest.json")
    tree.store.delete(table(tree.store, "pair"))
    [problem] = verify_run(tree.store, "made").problems
    assert problem.next_step == (
        "restore the object from a copy (tso import --verify of an export does), or begin another "
        "run with --set 'redo=[pair]'"
    )
    tree.store.delete(f"{tree.round_folder(0)}/manifest.json")
    [problem] = verify_run(tree.store, "made").problems
    assert problem.next_step.startswith("tso run made --set 'redo=[pair]'")


def test_a_later_round_is_mended_by_a_branch(tmp_path):
    tree = made_run(tmp_path, rounds=3)
    for index in (0, 1):
        for role in ("pair",):
            tree.store.delete(f"{tree.round_folder(index)}/stages/{role}.json")
        stripped = tree.read_round(index, "manifest.json")
        del stripped["artifacts"]["pair"]
        tree.write_round(index, "manifest.json", stripped)
    tree.store.delete(table(tree.store, "pair"))
    [problem] = verify_run(tree.store, "made").problems
    assert "tso fork made@1 NEW, then tso run NEW --set 'redo=[pair]'" in problem.next_step


def test_a_broken_object_of_the_run_itself_is_named(tree):
    tree.store.write(f"{tree.folder}/splits.json", b"{")
    [problem] = verify_run(tree.store, "made").problems
    assert problem.uri.endswith("runs/made/splits.json") and "no JSON" in problem.what


def test_an_unknown_run_is_refused(tree):
    with pytest.raises(ConfigError, match="no run 'other'"):
        verify_run(tree.store, "other")


def test_the_command_names_rounds_and_next_steps_and_ends_with_7(tree, tmp_path):
    preset = tmp_path / "preset.yaml"
    preset.write_text(yaml.safe_dump(plain_small(storage__root=tree.store.root)), encoding="utf-8")
    told = CliRunner().invoke(app, ["fsck", "made", "--preset", str(preset)])
    assert told.exit_code == 0 and "4 stages with 5 files" in told.output
    assert "size and sha256: all as it was written" in told.output
    tree.store.delete(table(tree.store, "pair"))
    told = CliRunner().invoke(app, ["fsck", "made", "--preset", str(preset), "--quick"])
    assert told.exit_code == 7 and "missing (round 0 pair, round 1 pair)" in told.output.replace(
        "\n", ""
    )
    assert "redo=[pair]" in told.output and "existence and size: 1 problem" in told.output


@pytest.mark.service
def test_a_run_on_s3_is_verified_alike(tree, s3):
    from infra.run_copies import copy_run

    target = open_store(s3)
    copy_run(tree.store, target, "made")
    assert verify_run(target, "made").problems == ()
    path = table(target, "train")
    target.write(path, target.read(path)[:-1] + b"?")
    assert [one.uri for one in verify_run(target, "made").problems] == [target.uri(path)]
