import logging
import os
import shutil
from pathlib import Path

import pytest

from infra.checkpoint_uploads import (
    discard_checkpoints,
    fetch_checkpoint,
    kept_models,
    put_checkpoint,
    put_model,
)
from infra.stages import Stage, StageKey
from infra.storage import open_store
from tasks.errors import StorageError

STAGE = "stages/train/aa/aaaa"


@pytest.fixture
def store(tmp_path: Path):
    return open_store(f"file://{tmp_path}/store")


def made(workdir: Path, step: int) -> Path:
    """A finished checkpoint as far as uploads look at it."""
    folder = workdir / f"checkpoints/step-{step:07d}"
    folder.mkdir(parents=True)
    (folder / "tensors.safetensors").write_text(f"weights of step {step}")
    (folder / "DONE").write_text("{}")
    return folder


def fetched(store, workdir: Path) -> dict[str, str]:
    """Text of the weights in each checkpoint that another machine gets."""
    fetch_checkpoint(store, STAGE, workdir)
    found = sorted(workdir.glob("checkpoints/*/DONE"))
    return {one.parent.name: (one.parent / "tensors.safetensors").read_text() for one in found}


def damage(store, step: int) -> None:
    (name,) = [path for path in store.list(STAGE) if path.endswith(f"{step}/tensors.safetensors")]
    store.write(name, store.read(name)[:-1] + b"?")


def test_another_machine_gets_the_newest_checkpoint(store, tmp_path):
    for step in (4, 8):
        put_checkpoint(store, STAGE, made(tmp_path / "one", step), 2)
    assert fetched(store, tmp_path / "two") == {"step-0000008": "weights of step 8"}


def test_a_checkpoint_that_is_there_is_left_alone(store, tmp_path):
    put_checkpoint(store, STAGE, made(tmp_path / "one", 8), 2)
    made(tmp_path / "two", 4)
    assert fetched(store, tmp_path / "two") == {"step-0000004": "weights of step 4"}


@pytest.mark.parametrize(("keep_last", "stay"), [(1, [12]), (2, [8, 12])])
def test_the_store_keeps_the_last_ones(keep_last, stay, store, tmp_path):
    for step in (4, 8, 12):
        put_checkpoint(store, STAGE, made(tmp_path, step), keep_last)
    names = {path.split("/")[-2] for path in store.list(STAGE)}
    assert names == {f"step-{step:07d}" for step in stay}


def test_of_a_damaged_checkpoint_in_the_store_the_one_before_is_taken(store, tmp_path, caplog):
    for step in (4, 8):
        put_checkpoint(store, STAGE, made(tmp_path / "one", step), 2)
    damage(store, 8)
    assert fetched(store, tmp_path / "two") == {"step-0000004": "weights of step 4"}
    assert "step-0000008 in the store is damaged and not used" in caplog.text


def test_with_damaged_checkpoints_alone_training_begins_anew(store, tmp_path, caplog):
    put_checkpoint(store, STAGE, made(tmp_path / "one", 4), 2)
    store.delete(f"{STAGE}/checkpoints/step-0000004/tensors.safetensors")
    assert fetched(store, tmp_path / "two") == {}
    assert "there is no such object" in caplog.text


def test_a_store_that_fails_for_a_moment_is_not_taken_for_damage(store, tmp_path, monkeypatch):
    put_checkpoint(store, STAGE, made(tmp_path / "one", 4), 2)

    def unreachable(*arguments):
        raise StorageError("unreachable; try again")

    monkeypatch.setattr(type(store), "get_file", unreachable)
    with pytest.raises(StorageError, match="unreachable"):
        fetch_checkpoint(store, STAGE, tmp_path / "two")


def test_a_checkpoint_removed_while_it_is_copied_is_copied_to_its_end(store, tmp_path, monkeypatch):
    local, put_file = made(tmp_path / "one", 4), store.put_file

    def put(path, target):
        shutil.rmtree(local, ignore_errors=True)  # the trainer has newer ones
        return put_file(path, target)

    monkeypatch.setattr(store, "put_file", put)
    put_checkpoint(store, STAGE, local, 2)
    assert fetched(store, tmp_path / "two") == {"step-0000004": "weights of step 4"}
    assert list((tmp_path / "one").rglob("*.safetensors")) == []


@pytest.mark.parametrize("left", [[], ["tensors.safetensors"]])
def test_a_checkpoint_that_its_trainer_has_removed_takes_no_place(store, tmp_path, caplog, left):
    caplog.set_level(logging.INFO)
    put_checkpoint(store, STAGE, made(tmp_path / "one", 4), 1)
    local = made(tmp_path / "one", 8)
    for path in local.iterdir():
        if path.name not in left:
            path.unlink()
    if not left:
        local.rmdir()
    put_checkpoint(store, STAGE, local, 1)
    assert "superseded" in caplog.text
    assert fetched(store, tmp_path / "two") == {"step-0000004": "weights of step 4"}


def test_a_list_without_files_is_damaged(store, tmp_path, caplog):
    put_checkpoint(store, STAGE, made(tmp_path / "one", 4), 2)
    store.write(f"{STAGE}/checkpoints/step-0000008/DONE.json", b"[]")
    assert fetched(store, tmp_path / "two") == {"step-0000004": "weights of step 4"}
    assert "does not list DONE" in caplog.text


def test_where_no_links_can_be_made_files_are_copied(store, tmp_path, monkeypatch):
    def refused(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    put_checkpoint(store, STAGE, made(tmp_path / "one", 4), 2)
    assert fetched(store, tmp_path / "two") == {"step-0000004": "weights of step 4"}


def stage_of(store) -> Stage:
    return Stage(store, StageKey(verb="train", settings={}))


def exported(workdir: Path, step: int) -> Path:
    folder = workdir / f"models/step-{step:07d}"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_text(f"weights of step {step}")
    return folder


def test_models_that_stay_are_committed_whichever_machine_made_them(store, tmp_path):
    stage = stage_of(store)
    put_model(stage, exported(tmp_path / "one", 2))
    exported(tmp_path / "two", 4)  # its launcher died before it put the folder
    files = kept_models(stage, tmp_path / "two")
    assert list(files) == ["models/step-0000002", "models/step-0000004"]
    artifact = stage.commit(tables={}, files=files)
    discard_checkpoints(store, stage.folder)
    assert store.list(f"{stage.folder}/checkpoints") == []
    finished = stage.finished()
    assert finished is not None and finished.artifact == artifact
    texts = [store.read(finished.files(name)[0].path) for name in files]
    assert texts == [b"weights of step 2", b"weights of step 4"]


def test_without_kept_models_there_are_none(store, tmp_path):
    assert kept_models(stage_of(store), tmp_path) == {}
