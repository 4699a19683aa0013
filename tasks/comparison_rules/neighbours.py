"""Compares responses that are close in the presumed order, where the prior is least sure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.candidates import Candidate, in_line
from tasks.comparison_rules._budget import Comparison, within_budget
from tasks.comparison_rules._contract import OneShot, bounded


@dataclass(frozen=True, kw_only=True)
class Neighbours(OneShot):
    """Responses in a line from weak to strong, each with the next `reach` in line.

    Responses of equal strength stand in seeded order. Of equal texts the strongest is in line.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"budget": 6, "reach": 2}
    SEMANTICS: ClassVar[int] = 1

    reach: Annotated[int, Field(ge=1)] = 1
    """How many places apart two responses may stand."""
    budget: Annotated[int, Field(ge=1)] | None = None
    """Most comparisons of a prompt, the closest first; none means no limit."""

    def __call__(self, candidates: Sequence[Candidate], seed: int) -> list[Comparison]:
        """Ids of the responses of ONE prompt to compare, smaller id first, in any input order."""
        line = in_line(candidates, seed)
        chosen: list[Comparison] = []
        for distance in range(1, self.reach + 1):
            ends = zip(line, line[distance:], strict=False)
            pairs = [(min(ids), max(ids)) for ids in ends]
            left = None if self.budget is None else self.budget - len(chosen)
            chosen += within_budget(pairs, left, seed)
        return sorted(chosen)

    def most(self, n: int) -> int:
        """Each of `n` with the next `reach`, within the budget."""
        far = min(self.reach, max(n - 1, 0))
        return bounded(sum(n - distance for distance in range(1, far + 1)), n, self.budget)


VARIANT = Neighbours
