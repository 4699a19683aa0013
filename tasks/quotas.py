"""How many of a round's prompts each cell answers: a share of its own, and what use made of it.

Which cells are asked for nothing more stands in `tasks/retiring.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from tasks.further_responses import ids_of
from tasks.records import Label, PreferencePair, Response
from tasks.seeds import uniform_of

ROUNDING = 1e-9
"""Keeps 0.55 x 100 from becoming 56 prompts."""


class QuotaSettings(BaseModel):
    """Whether cells whose responses are not trained on answer fewer prompts in the next round."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    adapt: bool = False
    """Scale the `share` of each cell but the policy's by its usefulness in the round before."""
    floor: Annotated[float, Field(ge=0, le=1)] = 0.1
    """No cell's share falls below this by being of little use."""
    retire_after: Annotated[int, Field(ge=1)] | None = None
    """A cell that was idle in so many rounds in a row is asked for nothing more; null: never."""
    idle_below: Annotated[float, Field(ge=0, le=1)] = 0.02
    """A cell is idle in a round if it was needed on a smaller share of the prompts it answered."""
    keep: tuple[str, ...] = ()
    """Cells that are never retired; the policy's never is."""


def num_answered(prompts: int, share: float) -> int:
    """How many of `prompts` a cell with `share` answers, rounded up."""
    return ceil(prompts * share - ROUNDING)


def quota(prompt_ids: Sequence[str], cell: str, share: float, seed: int) -> set[str]:
    """The prompts that the cell of this name answers.

    Each cell has an order of its own over all prompts, so a higher share keeps what a lower had.
    """
    if share >= 1:
        return set(prompt_ids)
    order = sorted(prompt_ids, key=lambda one: uniform_of(seed, "quota", cell, one))
    return set(order[: num_answered(len(prompt_ids), share)])


def used_responses(
    responses: Iterable[Response], given: Iterable[PreferencePair | Label]
) -> dict[str, tuple[int, int]]:
    """How many responses of each cell are in some pair or have a label, and how many it has."""
    in_use = {one for each in given for one in ids_of(each)}
    used: dict[str, list[bool]] = {}
    for row in responses:
        used.setdefault(row.cell, []).append(row.response_id in in_use)
    return {cell: (sum(rows), len(rows)) for cell, rows in used.items()}


def usefulness(used: Mapping[str, tuple[int, int]]) -> dict[str, float]:
    """How usefully each cell answered, 0 to 1, the best cell being 1.

    Usefulness is the share of a cell's responses that are used (`used_responses`).
    """
    shares = {cell: number / all_ for cell, (number, all_) in used.items()}
    best = max(shares.values(), default=0.0)
    return {cell: round(share / best, 6) if best else 1.0 for cell, share in sorted(shares.items())}


def next_shares(
    declared: Mapping[str, float],
    useful: Mapping[str, float],
    policy: str,
    settings: QuotaSettings,
) -> dict[str, float]:
    """The share of each cell in the next round; a cell nothing is known of keeps its own."""
    if not settings.adapt:
        return dict(declared)
    return {
        cell: share
        if cell == policy
        else max(share * useful.get(cell, 1.0), min(share, settings.floor))
        for cell, share in declared.items()
    }
