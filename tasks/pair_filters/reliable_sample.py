"""Keeps a random part of the pairs, likelier those of which the estimator is sure, or unsure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tasks.competition import Competition, Competitor
from tasks.pair_filters.certainty_quantile import room_of
from tasks.pairs import PairView
from tasks.seeds import uniform_of
from tasks.uncertainty import bald
from tasks.variants import kind_of

DRAWN, UNKNOWN = 1, 2
"""Groups of pairs: those that are drawn from, and those without an estimate, which go."""


@dataclass(frozen=True, kw_only=True)
class ReliableSample:
    """The share `bald_rate` of the pairs, drawn one by one without replacement.

    With B, the uncertainty of a pair (BALD over the estimator's passes, nats), the chance of each
    draw is in proportion to 1 - B (`easy`) or to B (`hard`). Source: UPO, arXiv:2409.11212, its
    released code; drawn by exponential clocks, Efraimidis and Spirakis (2006).
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"bald_rate": 0.5}
    SEMANTICS: ClassVar[int] = 1
    STAGE: ClassVar[str] = "paired"
    READS_PASSES: ClassVar[bool] = True

    bald_rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the pairs that stay, rounded up; at most 0.5 in UPO, 1 keeps all with an estimate"""
    prefer: Literal["easy", "hard"] = "easy"
    """easy: pairs that all passes judge alike; hard: pairs that passes differ on."""
    unit: Literal["nats", "share"] = "nats"
    """B in nats (1 - B is 0.31 or more), or as a share of its maximum, ln 2."""

    def __call__(self, pairs: Sequence[PairView]) -> dict[str, str]:
        """The reason for each pair that is dropped, by pair_id."""
        return Competition.lost(self, pairs, kind_of(self))

    def competitors(self, pairs: Sequence[PairView], seed: int = 0) -> list[Competitor]:
        """All pairs by when their clock rings: the rate is the weight, `seed` winds it."""
        return [
            Competitor(
                DRAWN if len(one.estimates) > 1 else UNKNOWN,
                (self._rings(one, seed), 0.0),
                one.pair.pair_id,
            )
            for one in pairs
        ]

    def _rings(self, view: PairView, seed: int) -> float:
        weight = self.weight(bald(view.estimates)) if len(view.estimates) > 1 else 0.0
        waited = -math.log1p(-uniform_of(seed, "reliable_sample", view.pair.pair_id))
        return waited / weight if weight > 0 else math.inf

    def weight(self, uncertainty: float) -> float:
        """How likely a pair is drawn, up to a factor; `uncertainty` in nats."""
        given = uncertainty if self.unit == "nats" else uncertainty / math.log(2)
        return given if self.prefer == "hard" else max(0.0, 1 - given)

    def rooms(self, sizes: Mapping[int, int]) -> dict[int, int]:
        """How many pairs may stay."""
        return {DRAWN: room_of(self.bald_rate, sizes.get(DRAWN, 0)), UNKNOWN: 0}


VARIANT = ReliableSample
