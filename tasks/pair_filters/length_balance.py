"""Balances the pairs so that chosen is longer about as often as shorter."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.competition import FREE, Competition, Competitor
from tasks.pairs import PairView
from tasks.words import num_words

LONGER, SHORTER = 1, 2
"""Groups of pairs: chosen has more words than rejected, or fewer."""


@dataclass(frozen=True, kw_only=True)
class LengthBalance:
    """Drops pairs of the more frequent kind, so that the policy cannot learn that length wins."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"max_ratio": 1.5}
    SEMANTICS: ClassVar[int] = 1
    STAGE: ClassVar[str] = "paired"

    max_ratio: Annotated[float, Field(ge=1)] = 2.0
    """Most pairs of one kind (chosen longer, or shorter) for each pair of the other kind."""

    def __call__(self, pairs: Sequence[PairView]) -> dict[str, str]:
        """The reason for each pair that is dropped, by pair_id.

        Of the more frequent kind those with the smallest margins go first, then those with the
        largest difference in words. Where the other kind is missing, as many are kept as one pair
        of it would allow. Pairs of equal length stay.
        """
        return Competition.lost(self, pairs, "length_balance")

    def competitors(self, pairs: Sequence[PairView], seed: int = 0) -> list[Competitor]:
        """Pairs whose chosen response is longer compete, and those where it is shorter."""
        found = []
        for view in pairs:
            gap = _gap(view)
            group = LONGER if gap > 0 else SHORTER if gap < 0 else FREE
            found.append(Competitor(group, (-view.pair.margin, abs(gap)), view.pair.pair_id))
        return found

    def rooms(self, sizes: Mapping[int, int]) -> dict[int, int]:
        """How many of the more frequent kind may stay beside the other kind."""
        rarer, frequent = sorted((LONGER, SHORTER), key=lambda group: sizes.get(group, 0))
        # A hair is added: 1.15 * 20 must leave room for 23, not for 22.99...
        return {frequent: math.floor(self.max_ratio * max(1, sizes.get(rarer, 0)) + 1e-9)}


def _gap(view: PairView) -> int:
    """How many words chosen has more than rejected."""
    return num_words(view.chosen.text) - num_words(view.rejected.text)


VARIANT = LengthBalance
