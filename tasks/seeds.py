"""Seeds from names, stable across machines and processes."""

from tasks.canonical import digest

SEED_BITS = 63
"""torch and numpy both take a signed 64-bit seed."""
FLOAT_BITS = 53
"""A float holds no more: with them all, the largest seeds would round up to 1.0."""


def seed_of(*names: str | int) -> int:
    """The seed that belongs to `names`, e.g. (config.seed, round_index, "sample", prompt_id, 2)."""
    return int(digest(list(names))[:16], 16) >> (64 - SEED_BITS)


def uniform_of(*names: str | int) -> float:
    """A number in [0, 1) that belongs to `names`: a reproducible coin for one decision."""
    return (seed_of(*names) >> (SEED_BITS - FLOAT_BITS)) / float(1 << FLOAT_BITS)
