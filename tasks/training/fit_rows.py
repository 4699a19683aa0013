"""The pairs that a reward model is fitted to: which of them, and in which batches."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from tasks.errors import DataError
from tasks.seeds import seed_of
from tasks.training.fit_settings import FitJob


class Pair(NamedTuple):
    """Token ids of one pair."""

    pair_id: str
    chosen: list[int]
    """Prompt and response together."""
    rejected: list[int]
    p_chosen: float


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """A table of pairs on disk, read where they are wanted."""

    table: pa.Table
    fitted: np.ndarray[Any, np.dtype[np.int64]]
    """Rows that are fitted to."""
    held_out: np.ndarray[Any, np.dtype[np.int64]]
    """Rows that measure accuracy."""
    left_out: int
    """Rows that are neither, for the sake of the mixture."""
    seed: int
    """Decides the order."""

    def __getitem__(self, row: int) -> Pair:
        one = {name: self.table.column(name)[row].as_py() for name in self.table.column_names}
        prompt = one["prompt_ids"]
        return Pair(
            one["pair_id"],
            [*prompt, *one["chosen_ids"]],
            [*prompt, *one["rejected_ids"]],
            one["p_chosen"],
        )

    def batch(self, step: int, size: int) -> list[Pair]:
        """The pairs of an optimizer step, 0-based; each epoch has an order of its own."""
        steps = steps_per_epoch(len(self.fitted), size)
        epoch, turn = divmod(step, steps)
        order = np.random.default_rng(seed_of(self.seed, "fit order", epoch))
        rows = order.permutation(self.fitted)[turn * size : (turn + 1) * size]
        return [self[int(row)] for row in rows]


def steps_per_epoch(pairs: int, size: int) -> int:
    """Optimizer steps of one pass over the pairs; the last batch may be smaller."""
    return -(-pairs // size)


def open_pairs(workdir: Path, job: FitJob) -> Pairs:
    """The pairs of `job`; DataError if there is none to fit to."""
    with pa.memory_map(str(workdir / job.rows)) as source:
        table = pa.ipc.open_file(source).read_all()
    held_out = np.array(table.column("held_out").to_pylist(), dtype=bool)
    own = np.array(table.column("own").to_pylist(), dtype=bool)
    training = np.flatnonzero(~held_out)
    fitted = mixed(training, own[training], job.own_share, job.seed)
    if not len(fitted):
        raise DataError(
            f"an estimator has no pair to learn from: {table.num_rows} pairs, {held_out.sum()} "
            f"held out, {own.sum()} of files; add verdicts or files of pairs, or set "
            "estimator.own_share=null"
        )
    return Pairs(
        table=table,
        fitted=fitted,
        held_out=np.flatnonzero(held_out),
        left_out=len(training) - len(fitted),
        seed=job.seed,
    )


def mixed(
    rows: np.ndarray[Any, np.dtype[np.int64]],
    own: np.ndarray[Any, np.dtype[np.bool_]],
    share: float | None,
    seed: int,
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """As many of `rows` as have the share `share` of own ones; all of them for None.

    0.5 is one to one, as West-of-N mixes human and synthetic pairs; which ones stay is drawn.
    """
    if share is None:
        return rows
    groups = {True: rows[own], False: rows[~own]}
    shares = {True: share, False: 1 - share}
    total = min(len(groups[one]) / part for one, part in shares.items() if part > 0)
    chance = np.random.default_rng(seed_of(seed, "fit mixture"))
    # A hair is added: 0.3 of 10 are 3 rows, not 2.9999999999999996 rounded down.
    kept = [
        chance.permutation(groups[one])[: int(total * part + 1e-9)] for one, part in shares.items()
    ]
    return np.sort(np.concatenate(kept))
