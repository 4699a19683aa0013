"""Recorded data as the files of a run: prompts, responses by cell, verdicts, measured pairs."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tasks.seeds import seed_of

Row = Mapping[str, Any]
SPLITS = ("sealed", "held_out", "dev")
"""What is measured on, in the order in which prompts are dealt; the rest is to train on."""


def split_of(prompts: Iterable[str], sizes: Mapping[str, int], seed: int) -> dict[str, str]:
    """The split of each prompt id, dealt in an order fixed by `seed`."""
    order = sorted(set(prompts), key=lambda one: (seed_of(seed, "split", one), one))
    dealt = [split for split in SPLITS for _ in range(sizes.get(split, 0))]
    dealt += ["train"] * (len(order) - len(dealt))
    return dict(zip(order, dealt, strict=True))


def is_drawn(prompt_id: str, share: float, seed: int) -> bool:
    """Whether a prompt is among the `share` of all that is drawn by `seed`."""
    order = seed_of(seed, "human", prompt_id)
    return order < share * 2**63


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write JSON Lines; what stands there is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of JSON Lines that `write_rows` wrote."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
