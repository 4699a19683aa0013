"""Keeps the pairs of a round of which it is surest that chosen is the better one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.competition import Competition, Competitor
from tasks.pairs import PairView
from tasks.variants import kind_of

ALL = 1
"""The one group: every pair competes."""


@dataclass(frozen=True, kw_only=True)
class CertaintyQuantile:
    """The share `keep` of the pairs with the highest P(chosen wins); the other pairs are dropped.

    Source: West-of-N, arXiv:2401.12086, whose threshold is a quantile too.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"keep": 0.5}
    SEMANTICS: ClassVar[int] = 1
    STAGE: ClassVar[str] = "paired"

    keep: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the pairs that stay, rounded up; 1 drops none."""

    def __call__(self, pairs: Sequence[PairView]) -> dict[str, str]:
        """The reason for each pair that is dropped, by pair_id."""
        return Competition.lost(self, pairs, kind_of(self))

    def competitors(self, pairs: Sequence[PairView], seed: int = 0) -> list[Competitor]:
        """All pairs, the most probable ones first; `seed` plays no part."""
        return [Competitor(ALL, (-one.pair.p_chosen, 0.0), one.pair.pair_id) for one in pairs]

    def rooms(self, sizes: Mapping[int, int]) -> dict[int, int]:
        """How many pairs may stay."""
        return {ALL: room_of(self.keep, sizes.get(ALL, 0))}


def room_of(share: float, number: int) -> int:
    """That share of `number`, rounded up."""
    # A hair is taken off: 0.1 * 30 is 3, not 3.0000000000000004 rounded up to 4.
    return math.ceil(share * number - 1e-9)


VARIANT = CertaintyQuantile
