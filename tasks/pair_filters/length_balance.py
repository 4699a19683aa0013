"""Balances the pairs so that chosen is longer about as often as shorter."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.pairs import PairView
from tasks.words import num_words


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
        longer = [view for view in pairs if _gap(view) > 0]
        shorter = [view for view in pairs if _gap(view) < 0]
        rarer, frequent = sorted((longer, shorter), key=len)
        # A hair is added: 1.15 * 20 must leave room for 23, not for 22.99...
        room = math.floor(self.max_ratio * max(1, len(rarer)) + 1e-9)
        last_to_go = sorted(
            frequent,
            key=lambda view: (-view.pair.margin, abs(_gap(view)), view.pair.pair_id),
        )
        return {view.pair.pair_id: "length_balance" for view in last_to_go[room:]}


def _gap(view: PairView) -> int:
    """How many words chosen has more than rejected."""
    return num_words(view.chosen.text) - num_words(view.rejected.text)


VARIANT = LengthBalance
