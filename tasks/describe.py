"""A local model folder as a checkpoint record."""

from functools import lru_cache
from pathlib import Path

from tasks.records import Checkpoint
from tasks.tokens import load_tokenizer, template_digest, tokenizer_digest
from tasks.weights import weights_digest

Stamp = tuple[tuple[str, int, int], ...]
"""Name, size (bytes) and time of change (ns) of each file of a folder."""


def describe(folder: Path) -> Checkpoint:
    """The checkpoint that `folder` holds; ConfigError if it is no model with a chat template.

    Digests are remembered until a file of the folder changes.
    """
    return _describe(folder, _stamp(folder))


def _stamp(folder: Path) -> Stamp:
    stats = ((path.name, path.stat()) for path in sorted(folder.iterdir()))
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


@lru_cache(maxsize=32)
def _describe(folder: Path, _stamp: Stamp) -> Checkpoint:
    tokenizer = load_tokenizer(folder)
    return Checkpoint(
        sha256=weights_digest(folder),
        uri=str(folder),
        base="",
        step=0,
        tokenizer=tokenizer_digest(tokenizer),
        template=template_digest(tokenizer),
    )
