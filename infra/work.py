"""Where this machine keeps work in progress: children's folders, journals, temporary files."""

import hashlib
import os
from pathlib import Path


def work_root() -> Path:
    """The folder for local work: TSO_WORK, or ~/.cache/tso. It may be deleted between runs."""
    return Path(os.environ.get("TSO_WORK") or Path.home() / ".cache" / "tso").absolute()


def stage_dir(verb: str, digest: str) -> Path:
    """The local folder of the stage `digest`, created if needed; equal stages share it."""
    folder = work_root() / "stages" / verb / digest[:2] / digest
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def journal_file(root: str, verb: str, name: str) -> Path:
    """Where this machine keeps the calls of the journal `name` of the store at `root`."""
    return work_root() / "journals" / _mark(root) / verb / f"{name}.jsonl"


def ledger_file(root: str, run: str) -> Path:
    """Where this machine keeps what a run of the store at `root` has spent."""
    return work_root() / "spending" / _mark(root) / f"{run}.jsonl"


def _mark(root: str) -> str:
    """A store's name in paths."""
    return hashlib.sha256(root.encode()).hexdigest()[:12]


def temporary_dir() -> Path:
    """The folder for files that are about to be put into a store, created if needed."""
    folder = work_root() / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
