"""A local model folder as a checkpoint record."""

from functools import lru_cache
from pathlib import Path

from tasks.records import Checkpoint
from tasks.tokens import load_tokenizer, template_digest, tokenizer_digest
from tasks.weights import weights_digest


@lru_cache(maxsize=32)
def describe(folder: Path) -> Checkpoint:
    """The checkpoint that `folder` holds; ConfigError if it is no model with a chat template."""
    tokenizer = load_tokenizer(folder)
    return Checkpoint(
        sha256=weights_digest(folder),
        uri=str(folder),
        base="",
        step=0,
        tokenizer=tokenizer_digest(tokenizer),
        template=template_digest(tokenizer),
    )
