"""What a replay knows of earlier rounds' pairs, and what its kinds have in common."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from tasks.errors import ConfigError
from tasks.seeds import uniform_of
from tasks.tables import KEYS


@dataclass(frozen=True, kw_only=True, slots=True)
class Remembered:
    """A pair that a round was trained on and later rounds may replay. Key: pair_id."""

    pair_id: str
    """The pair."""
    prompt_id: str
    """The prompt both responses answer."""
    chosen_id: str
    """The better response."""
    rejected_id: str
    """The worse response."""
    round_index: int
    """The round that made it."""
    times_replayed: int
    """Later rounds that it was replayed in."""


KEYS[Remembered] = ("pair_id",)


@dataclass(frozen=True, kw_only=True)
class Replay:
    """How many earlier pairs a round replays, and what they weigh."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )

    share: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Pairs that are replayed, as a share of the round's own pairs; null: `number`."""
    number: Annotated[int, Field(ge=1)] | None = None
    """Pairs that are replayed; null: `share`."""
    decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """A replayed prompt weighs this to the power of its age in rounds; a fresh one weighs 1."""

    def __post_init__(self) -> None:
        if (self.share is None) == (self.number is None):
            raise ConfigError(
                f"replay has share {self.share} and number {self.number}; write one of them: how "
                "many pairs a round replays, as a share of its own or as a number"
            )

    def wanted(self, own: int) -> int:
        """How many pairs a round with `own` pairs replays, if there are so many."""
        return self.number if self.number is not None else round((self.share or 0.0) * own)


def drawn_by_weight(
    memory: Sequence[Remembered],
    number: int,
    weight: Callable[[Remembered], float],
    *names: str | int,
) -> list[Remembered]:
    """`number` of `memory` without replacement, each draw in proportion to `weight`.

    Each pair waits for a time of its own, exponential with its weight as the rate, drawn from
    `names` and its id; the first come. Neither order nor number of the others moves a pair's time.
    Source: Efraimidis and Spirakis 2006, doi:10.1016/j.ipl.2005.11.003.
    """

    def waiting(one: Remembered) -> tuple[float, str]:
        return -math.log1p(-uniform_of(*names, "replay", one.pair_id)) / weight(one), one.pair_id

    return sorted(memory, key=waiting)[:number]
