"""Checkpoints of a training in progress, kept in the store so that another machine can go on.

stages/train/<aa>/<key digest>/checkpoints/step-0000100/...       the trainer's files
                               checkpoints/step-0000100/DONE.json  their list, last
                               checkpoints/models/step-0000050.json  files of weights that stay
"""

import json
import logging
import os
import shutil
from dataclasses import asdict
from pathlib import Path

from infra.stages import Stage
from infra.storage import Store, StoredFile
from tasks.errors import DamagedError

DONE = "DONE.json"
LAST = "DONE"
"""The file of a checkpoint that its trainer writes last and removes first."""
HELD = "uploads"
"""Folder beside the trainer's checkpoints: links to the one that is being copied."""
MODELS = "checkpoints/models"

_log = logging.getLogger(__name__)


def put_checkpoint(store: Store, stage: str, local: Path, keep_last: int) -> None:
    """Copy a finished checkpoint below the stage's folder, the list of its files last.

    Of those in the store the last `keep_last` stay. A checkpoint that its trainer has removed is
    left out: newer ones are there. One that it removes meanwhile is copied to its end: were every
    checkpoint given up for a newer one, a slow store would never hold any.
    """
    held = local.parent.parent / HELD / local.name
    try:
        if not _hold(local, held):
            _log.info("%s was superseded before it was copied to the store", local.name)
            return
        prefix = f"{stage}/checkpoints/{local.name}"
        store.write(f"{prefix}/{DONE}", _listing(store.put_folder(held, prefix)))
    finally:
        shutil.rmtree(held, ignore_errors=True)
    for older in _finished(store, stage)[:-keep_last]:
        _discard(store, f"{stage}/checkpoints/{older}")


def _hold(local: Path, held: Path) -> bool:
    """Link the files of a checkpoint to `held`; False if its trainer has begun to remove it.

    The trainer removes its DONE first: while that is there, so is all the rest.
    """
    shutil.rmtree(held, ignore_errors=True)
    try:
        shutil.copytree(local, held, copy_function=_linked)
    except (FileNotFoundError, shutil.Error):
        if (local / LAST).exists():
            raise
    return (local / LAST).exists()


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)


def fetch_checkpoint(store: Store, stage: str, workdir: Path) -> None:
    """Fetch the newest good checkpoint into an empty work folder; one that is there is left alone.

    One that is damaged in the store is passed over with a warning.
    """
    if any((workdir / "checkpoints").glob(f"step-*/{LAST}")):
        return
    for name in reversed(_finished(store, stage)):
        local = workdir / "checkpoints" / name
        try:
            _fetch(store, f"{stage}/checkpoints/{name}", local)
            return
        except (DamagedError, FileNotFoundError, ValueError, KeyError, TypeError) as error:
            _log.warning("checkpoint %s in the store is damaged and not used: %s", name, error)
            shutil.rmtree(local, ignore_errors=True)


def _fetch(store: Store, prefix: str, local: Path) -> None:
    files = _listed(store, f"{prefix}/{DONE}")
    last = [file for file in files if file.path.endswith(f"/{LAST}")]
    if not last:
        raise DamagedError(f"{store.uri(prefix)}/{DONE} does not list {LAST}")
    others = [file for file in files if file not in last]
    store.get_folder([*others, *last], prefix, local)


def put_model(stage: Stage, local: Path) -> None:
    """Put an exported model folder where the finished stage will have it, and note its files."""
    files = stage.put_folder(f"models/{local.name}", local)
    stage.store.write(f"{stage.folder}/{MODELS}/{local.name}.json", _listing(files))


def kept_models(stage: Stage, workdir: Path) -> dict[str, list[StoredFile]]:
    """Files of the models that stay, by name, whichever machine made them; for `Stage.commit`."""
    folder = f"{stage.folder}/{MODELS}"
    for local in sorted((workdir / "models").glob("step-*")):
        if not stage.store.exists(f"{folder}/{local.name}.json"):
            put_model(stage, local)  # its launcher died before it did
    names = [path.rpartition("/")[2] for path in stage.store.list(folder)]
    return {
        f"models/{name.removesuffix('.json')}": _listed(stage.store, f"{folder}/{name}")
        for name in names
    }


def discard_checkpoints(store: Store, stage: str) -> None:
    """Remove what a finished stage no longer needs."""
    _discard(store, f"{stage}/checkpoints")


def _listing(files: list[StoredFile]) -> bytes:
    return json.dumps([asdict(file) for file in files]).encode()


def _listed(store: Store, path: str) -> list[StoredFile]:
    return [StoredFile(**entry) for entry in json.loads(store.read(path))]


def _finished(store: Store, stage: str) -> list[str]:
    """Names of the checkpoints with a list, oldest first."""
    paths = store.list(f"{stage}/checkpoints")
    return sorted(path.split("/")[-2] for path in paths if path.endswith(f"/{DONE}"))


def _discard(store: Store, prefix: str) -> None:
    paths = store.list(prefix)
    for path in sorted(paths, key=lambda path: not path.endswith(DONE)):
        store.delete(path)
