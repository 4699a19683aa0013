"""Checkpoints of a training in progress, kept in the store so that another machine can go on."""

import json
from dataclasses import asdict
from pathlib import Path

from infra.storage import Store, StoredFile

DONE = "DONE.json"


def put_checkpoint(store: Store, stage: str, local: Path) -> None:
    """Copy a finished checkpoint below the stage's folder, the list of its files last."""
    prefix = f"{stage}/checkpoints/{local.name}"
    files = store.put_folder(local, prefix)
    listed = json.dumps([asdict(file) for file in files]).encode()
    store.write(f"{prefix}/{DONE}", listed)
    for older in _finished(store, stage):
        if older < local.name:
            _discard(store, f"{stage}/checkpoints/{older}")


def fetch_checkpoint(store: Store, stage: str, workdir: Path) -> None:
    """Fetch the newest checkpoint into an empty work folder; one that is there is left alone."""
    if any((workdir / "checkpoints").glob("step-*/DONE")):
        return
    found = _finished(store, stage)
    if not found:
        return
    prefix = f"{stage}/checkpoints/{found[-1]}"
    files = [StoredFile(**entry) for entry in json.loads(store.read(f"{prefix}/{DONE}"))]
    last = [file for file in files if file.path.endswith("/DONE")]
    others = [file for file in files if file not in last]
    store.get_folder([*others, *last], prefix, workdir / "checkpoints" / found[-1])


def discard_checkpoints(store: Store, stage: str) -> None:
    """Remove what a finished stage no longer needs."""
    _discard(store, f"{stage}/checkpoints")


def _finished(store: Store, stage: str) -> list[str]:
    paths = store.list(f"{stage}/checkpoints")
    return sorted(path.split("/")[-2] for path in paths if path.endswith(f"/{DONE}"))


def _discard(store: Store, prefix: str) -> None:
    paths = store.list(prefix)
    for path in sorted(paths, key=lambda path: not path.endswith(DONE)):
        store.delete(path)
