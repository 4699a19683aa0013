"""Compares every two responses of a prompt."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.candidates import Candidate, different_texts
from tasks.comparison_rules._budget import Comparison, within_budget
from tasks.comparison_rules._contract import OneShot, bounded


@dataclass(frozen=True, kw_only=True)
class All(OneShot):
    """Every two responses whose texts differ, or a random part of them."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"budget": 6}
    SEMANTICS: ClassVar[int] = 1

    budget: Annotated[int, Field(ge=1)] | None = None
    """Most comparisons of a prompt; none means no limit."""

    def __call__(self, candidates: Sequence[Candidate], seed: int) -> list[Comparison]:
        """Ids of the responses of ONE prompt to compare, smaller id first, in any input order."""
        pairs = [(a.response_id, b.response_id) for a, b in different_texts(candidates)]
        return within_budget(pairs, self.budget, seed)

    def most(self, n: int) -> int:
        """Every two of `n`, within the budget."""
        return bounded(comb(n, 2), n, self.budget)


VARIANT = All
