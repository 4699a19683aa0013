"""What a comparison rule gets and gives: wave after wave of comparisons of one prompt's responses.

A rule has `next(candidates, heard, seed)`, a pure function: the comparisons of the next wave, by
all verdicts on the waves before; and the forecasts `most(n)` and `least(n)`. A rule that needs no
verdicts is a `OneShot`: called with candidates and seed it returns all that it wants, one wave.
"""

from collections.abc import Sequence
from math import comb
from typing import ClassVar, NamedTuple

from tasks.candidates import Candidate
from tasks.comparison_rules._budget import Comparison


class Heard(NamedTuple):
    """What a judge said about one comparison, both orders taken together."""

    a_id: str
    """The smaller id."""
    b_id: str
    """The larger id."""
    p_b_wins: float | None
    """Mean over the orders that were understood, a tie being 0.5; None if none was."""


class Wave(NamedTuple):
    """Comparisons that are asked at the same time."""

    comparisons: list[Comparison]
    """The smaller id first, sorted; empty once the rule has all that it wants."""
    left_out: str = ""
    """With an empty wave: why the comparisons that were not asked are left out."""


class OneShot:
    """A rule that chooses without verdicts: a single wave."""

    ADAPTIVE: ClassVar[bool] = False

    def __call__(self, candidates: Sequence[Candidate], seed: int) -> list[Comparison]:
        """Ids of the responses of ONE prompt to compare, smaller id first, in any input order."""
        raise NotImplementedError

    def next(self, candidates: Sequence[Candidate], heard: Sequence[Heard], seed: int) -> Wave:
        """All comparisons at first, nothing once they are heard."""
        return Wave([] if heard else self(candidates, seed), "not_chosen")

    def least(self, n: int) -> int:
        """Comparisons of a prompt with `n` responses whose texts all differ, at least."""
        return self.most(n)

    def most(self, n: int) -> int:
        """Comparisons of a prompt with `n` responses, at most."""
        raise NotImplementedError


def bounded(count: int, n: int, budget: int | None) -> int:
    """`count`, but no more than `n` responses have pairs, nor than `budget`."""
    return min(count, comb(n, 2), comb(n, 2) if budget is None else budget)
