"""Keeps the pairs of a round that the reference finds likeliest, both sides together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.competition import Competition, Competitor
from tasks.errors import DataError
from tasks.pair_filters.certainty_quantile import room_of
from tasks.pairs import PairView
from tasks.variants import kind_of

ALL = 1
"""The one group: every pair competes."""


@dataclass(frozen=True, kw_only=True)
class LikelihoodQuantile:
    """The share `keep` of the pairs with the highest log pi(chosen) + log pi(rejected).

    Pairs with a response that was too long to be scored do not compete. Sums over tokens: long
    responses are less likely than short ones. Source: West-of-N, arXiv:2401.12086.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"keep": 0.5}
    SEMANTICS: ClassVar[int] = 1
    STAGE: ClassVar[str] = "scored"

    keep: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the pairs that stay, rounded up; 1 drops none."""

    def __call__(self, pairs: Sequence[PairView]) -> dict[str, str]:
        """The reason for each pair that is dropped, by pair_id; DataError for an unscored pair."""
        return Competition.lost(self, pairs, kind_of(self))

    def competitors(self, pairs: Sequence[PairView], seed: int = 0) -> list[Competitor]:
        """All pairs, the likeliest first; `seed` plays no part."""
        return [Competitor(ALL, (-_logp(view), 0.0), view.pair.pair_id) for view in pairs]

    def rooms(self, sizes: Mapping[int, int]) -> dict[int, int]:
        """How many pairs may stay."""
        return {ALL: room_of(self.keep, sizes.get(ALL, 0))}


def _logp(view: PairView) -> float:
    """Of both responses together (nats)."""
    if view.reference_chosen_logp is None or view.reference_rejected_logp is None:
        raise DataError(
            f"pair {view.pair.pair_id} has no reference log-probabilities; "
            "likelihood_quantile filters after the score verb"
        )
    return view.reference_chosen_logp + view.reference_rejected_logp


VARIANT = LikelihoodQuantile
