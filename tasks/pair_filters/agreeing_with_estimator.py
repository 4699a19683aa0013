"""Drops pairs whose chosen response most passes of the estimator find the worse one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict

from tasks.pairs import PairView
from tasks.variants import kind_of


@dataclass(frozen=True, kw_only=True)
class AgreeingWithEstimator:
    """More than half of the estimator's passes prefer the chosen response, or the pair is dropped.

    Pairs with a response that the estimator could not score are dropped as well, and counted apart.
    Source: UPO, arXiv:2409.11212, its released code.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {}
    SEMANTICS: ClassVar[int] = 1
    STAGE: ClassVar[str] = "paired"
    READS_PASSES: ClassVar[bool] = True

    def __call__(self, pairs: Sequence[PairView]) -> dict[str, str]:
        """The reason for each pair that is dropped, by pair_id."""
        return {
            one.pair.pair_id: kind_of(self) if one.estimates else "no_estimate"
            for one in pairs
            if 2 * _votes(one.estimates) <= len(one.estimates)
        }


def _votes(estimates: Sequence[float]) -> float:
    """Passes that prefer the chosen response; one that cannot tell is half a vote."""
    return sum((p > 0.5) + 0.5 * (p == 0.5) for p in estimates)


VARIANT = AgreeingWithEstimator
