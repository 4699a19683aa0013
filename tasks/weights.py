"""Digests that say which weights a model folder holds."""

import hashlib
import json
from pathlib import Path

from tasks.canonical import digest
from tasks.errors import ConfigError

CHUNK_BYTES = 1 << 22
VOLATILE_CONFIG = ("transformers_version", "_name_or_path")
"""Entries of config.json that say who wrote it, not what the model is."""


def weights_digest(folder: str | Path) -> str:
    """The sha256 over the safetensors files of `folder` (by name) and its config.json, 64 hex.

    Raises ConfigError if either is missing: other weight formats are not read.
    """
    folder = Path(folder)
    files = sorted(folder.glob("*.safetensors"))
    if not files or not (folder / "config.json").is_file():
        raise ConfigError(
            f"{folder} is no model folder: it needs config.json and *.safetensors files "
            f"(has {sorted(path.name for path in folder.glob('*'))})"
        )
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    stable = {key: value for key, value in config.items() if key not in VOLATILE_CONFIG}
    return digest([stable, [[path.name, file_digest(path)] for path in files]])


def file_digest(path: Path) -> str:
    """The sha256 of a file's bytes, 64 hex digits."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            total.update(chunk)
    return total.hexdigest()


def reference_fingerprint(
    *, weights: str, tokenizer: str, template: str, dtype: str, truncation: str
) -> str:
    """The fingerprint under which reference log-probabilities are filed, 16 hex digits.

    Any of its parts changes what a reference says of a response. `truncation` names the rule for
    long rows, e.g. `drop>2048`.
    """
    return digest([weights, tokenizer, template, dtype, truncation])[:16]
