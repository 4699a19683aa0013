"""Model folders: a configured name to a local folder, and checkpoints from the store to disk."""

import json
import re
from pathlib import Path

from infra.artifacts import MANIFEST, read_stage
from infra.cache import Cache
from infra.storage import open_store
from tasks.errors import ConfigError, StorageError
from tasks.records import Checkpoint
from tasks.storage_settings import StorageSettings

WEIGHTS = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]
"""The files of a hub repository that are fetched: no pickled weights, no code."""
SNAPSHOT = re.compile(r".*/models--(?P<owner>[^/]+?)--(?P<name>[^/]+)/snapshots/(?P<of>[0-9a-f]+)")
"""Where the hub's client keeps a model: below a folder that every machine has of its own."""


def local_folder(model: str) -> Path:
    """The folder of `model`: itself if it is one, else the hub's snapshot of that id."""
    folder = Path(model)
    if folder.is_dir():
        return folder.resolve()
    if model.startswith((".", "/", "~")) or model.count("/") != 1:
        raise ConfigError(
            f"no model folder at {model!r} (working folder {Path.cwd()}); "
            "give a local folder or a hub id of the form owner/name"
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, allow_patterns=WEIGHTS))
    except Exception as error:
        raise ConfigError(
            f"model {model!r} is neither a local folder nor reachable on the hub: {error}"
        ) from error


def positions_of(folder: Path) -> int | None:
    """The longest text that the model in `folder` reads (tokens); None if its config names none."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config = config.get("text_config") or config
    positions: int | None = config.get("max_position_embeddings") or config.get("n_positions")
    return positions


def checkpoint_folder(checkpoint: Checkpoint, storage: StorageSettings) -> Path:
    """A local folder with the files of `checkpoint`, fetched from the store if need be.

    A checkpoint's uri is a local folder (base models) or the manifest of the stage that made it.
    """
    _, stage, tail = checkpoint.uri.rpartition("/stages/")
    if not stage:
        return _on_this_machine(Path(checkpoint.uri))
    store = open_store(storage)
    finished = read_stage(store, f"stages/{tail.removesuffix(f'/{MANIFEST}')}")
    if finished.facts["sha256"] != checkpoint.sha256:
        raise StorageError(
            f"{checkpoint.uri} holds the weights {finished.facts['sha256'][:16]}…, expected "
            f"{checkpoint.sha256[:16]}…: train was redone; redo the verbs that follow it"
        )
    files = finished.files("model")
    before, _, after = files[0].path.rpartition("/files/")
    prefix = f"{before}/files/{after.partition('/')[0]}"
    return Cache(store).folder(files, prefix, checkpoint.sha256)


def _on_this_machine(folder: Path) -> Path:
    """`folder`, or this machine's copy of the hub's model that another one keeps there.

    Raises ConfigError if there is neither.
    """
    if folder.is_dir():
        return folder
    kept = SNAPSHOT.fullmatch(str(folder))
    if kept is None:
        raise ConfigError(
            f"no model folder at {folder} on this machine; a folder has to be at the same path on "
            "every machine that works for a run: share the disk, or take a model of the hub"
        )
    from huggingface_hub import snapshot_download

    model = f"{kept['owner']}/{kept['name']}"
    try:
        return Path(snapshot_download(model, revision=kept["of"], allow_patterns=WEIGHTS))
    except Exception as error:
        raise ConfigError(
            f"model {model!r} ({kept['of'][:12]}) is not reachable on the hub: {error}"
        ) from error
