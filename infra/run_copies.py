"""A run with all that it names, copied from one store to another; begun again, it goes on.

Stages go first, each with its manifest last. Then the run's own tree goes, the manifests of its
rounds last and the newest of them first: no round is there before what it names.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from infra.artifacts import MANIFEST, SIDE, Finished, read_stage
from infra.fsck import files_of
from infra.manifests import seal
from infra.reach import mentioned, run_objects
from infra.run_tree import RunTree
from infra.storage import Store, StoredFile
from infra.work import temporary_dir
from tasks.errors import ConfigError, ConflictError, DamagedError, StorageError

MARK = "copying.json"
"""In a run's tree while its copy is not complete: no round begins then."""
STAYS = ("lease.json",)
"""Beginnings of names of objects that belong to a store, not to a run."""
JOURNALS = "journals"


@dataclass(frozen=True, kw_only=True)
class How:
    """What a copy takes along, and what it believes."""

    journals: bool = False
    """Take the journals of paid calls along, those of all runs of the store."""
    verify: bool = False
    """Hash files that are there already, too, and replace those that are damaged."""


QUICK = How()


@dataclass(kw_only=True)
class Copied:
    """What a copy did."""

    stages: int = 0
    """Stages that the run names."""
    objects: int = 0
    """Objects that were written; the others were there."""
    size: int = 0
    """Bytes of these."""


def check_copied(tree: RunTree) -> None:
    """Raise ConfigError if the run is the beginning of a copy."""
    if (mark := tree.read(MARK)) is not None:
        name = tree.folder.rpartition("/")[2]
        raise ConfigError(
            f"run {name!r} in {tree.store.root} is an unfinished copy from {mark['source']}; run "
            "the same `tso import` or `tso export` again to finish it"
        )


def copy_run(
    source: Store,
    target: Store,
    run: str,
    how: How = QUICK,
    done: Callable[[int, int], None] = lambda number, total: None,
) -> Copied:
    """Copy `run` with all that it names; `done` hears of each stage.

    What is there already is not copied again; of a run that is there with all its rounds, missing
    parts of stages are. Raises ConfigError if the target has another run of that name,
    ConflictError if it has another outcome of a stage, StorageError if something that the run names
    is missing or damaged.
    """
    ours, theirs = RunTree(source, run), RunTree(target, run)
    check_copied(ours)
    if not source.list(ours.folder):
        raise ConfigError(f"no run {run!r} in {source.root}")
    complete = _has_all(ours, theirs)
    if not complete:
        theirs.write(MARK, {"source": source.root})
    objects = run_objects(source, run)
    folders = sorted(mentioned(source, {path.split("/")[1] for path in objects}))
    copied = Copied(stages=len(folders))
    for number, folder in enumerate(folders, 1):
        _copy_stage(source, target, folder, how, copied)
        done(number, len(folders))
    for path in source.list(JOURNALS) if how.journals else ():
        _copy_object(source, target, path, copied)
    if not complete:
        for path in _in_order(objects):
            _copy_object(source, target, path, copied)
        target.delete(f"{theirs.folder}/{MARK}")
    return copied


def _has_all(ours: RunTree, theirs: RunTree) -> bool:
    """Whether the target has the run with all its rounds; ConfigError if it has another run."""
    if theirs.read(MARK) is not None:
        return False
    here, there = ours.manifests(), theirs.manifests()
    same = [
        _moved(one, ours.store, theirs.store) == other
        for one, other in zip(here, there, strict=False)
    ]
    taken = theirs.store.list(theirs.folder) and not there and here
    if not all(same) or taken:
        raise ConfigError(
            f"{theirs.store.root} has another run {theirs.folder.rpartition('/')[2]!r}; fork it "
            "away or choose another store"
        )
    return bool(there) and len(there) >= len(here)


def _copy_stage(source: Store, target: Store, folder: str, how: How, copied: Copied) -> None:
    """Copy what a stage's manifest names, then its side file, then the manifest."""
    stage = _named_stage(source, folder)
    _refuse_other(stage, target)
    for file in files_of(stage):
        if not _is_there(target, file, how):
            _copy_file(source, target, file)
            copied.objects += 1
            copied.size += file.size
    for name in (SIDE, MANIFEST):
        if source.exists(f"{folder}/{name}"):
            _copy_object(source, target, f"{folder}/{name}", copied)


def _named_stage(source: Store, folder: str) -> Finished:
    try:
        return read_stage(source, folder)
    except FileNotFoundError as error:
        raise StorageError(
            f"{source.uri(folder)} is named by the run and is not there; `tso fsck` says what to do"
        ) from error


def _refuse_other(stage: Finished, target: Store) -> None:
    """Refuse to mix two outcomes of one stage, as two stores have that sampled it on their own."""
    try:
        other = read_stage(target, stage.folder)
    except (FileNotFoundError, DamagedError):
        return
    if seal(_body(other)) != seal(_body(stage)):
        raise ConflictError(
            f"{target.uri(stage.folder)} is the same stage with another outcome: both stores did "
            "this work. Copy the run into a store of its own"
        )


def _body(stage: Finished) -> dict[str, Any]:
    return {key: value for key, value in stage.manifest.items() if key != "format"}


def _is_there(target: Store, file: StoredFile, how: How) -> bool:
    """Objects appear whole, and were verified as they were put: the size tells enough at first."""
    try:
        right = target.size(file.path) == file.size
        if right and how.verify:
            target.check_file(file)
    except (FileNotFoundError, DamagedError):
        return False
    return right


def _copy_file(source: Store, target: Store, file: StoredFile) -> None:
    """By way of the local disk, verified on both ways."""
    local = temporary_dir() / uuid.uuid4().hex
    try:
        source.get_file(file, local)
        target.verify(file, target.put_file(local, file.path).sha256)
    finally:
        local.unlink(missing_ok=True)


def _in_order(objects: list[str]) -> Iterator[str]:
    """Manifests of rounds last, the newest first."""
    manifests = [path for path in objects if _is_manifest(path)]
    names = [path for path in objects if path not in manifests]
    yield from (path for path in names if not path.split("/")[2].startswith((*STAYS, MARK)))
    yield from sorted(manifests, reverse=True)


def _is_manifest(path: str) -> bool:
    parts = path.split("/")
    return parts[2:3] == ["rounds"] and parts[4:] == [MANIFEST]


def _copy_object(source: Store, target: Store, path: str, copied: Copied) -> None:
    """Copy a small object; addresses in JSON become those of the target."""
    data = source.read(path)
    if path.startswith("runs/") and path.endswith(".json"):
        data = data.replace(f"{source.root}/".encode(), f"{target.root}/".encode())
    try:
        same = target.read(path) == data
    except FileNotFoundError:
        same = False
    if not same:
        target.write(path, data)
        copied.objects += 1
        copied.size += len(data)


def _moved(value: Any, source: Store, target: Store) -> Any:
    """`value` with addresses in `target` instead of `source`."""
    if isinstance(value, str):
        return value.replace(f"{source.root}/", f"{target.root}/")
    if isinstance(value, dict):
        return {key: _moved(one, source, target) for key, one in value.items()}
    return [_moved(one, source, target) for one in value] if isinstance(value, list) else value
