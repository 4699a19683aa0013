"""Most people decide, where there are enough of them and enough agree."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.aggregations._contract import OUTCOMES, Known, Together, Vote


@dataclass(frozen=True, kw_only=True)
class Majority:
    """The outcome that most people give; nothing where two are given equally often."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"people": 2, "share": 0.6}
    SEMANTICS: ClassVar[int] = 1

    people: Annotated[int, Field(ge=1)] = 1
    """Fewest people who must have spoken; of others nobody decides."""
    share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Least share of them that must agree."""

    def __call__(self, votes: Sequence[Vote], known: Known) -> dict[str, Together]:
        """By comparison; `known` outcomes change nothing here."""
        said: dict[str, Counter[str]] = {}
        for vote in votes:
            said.setdefault(vote.comparison, Counter())[vote.outcome] += 1
        found = {name: self._of(counts) for name, counts in sorted(said.items())}
        return {name: one for name, one in found.items() if one is not None}

    def _of(self, counts: Counter[str]) -> Together | None:
        total = counts.total()
        (outcome, most), *others = counts.most_common()
        if total < self.people or most < self.share * total or (others and others[0][1] == most):
            return None
        shares = {name: counts[name] / total for name in OUTCOMES}
        return Together(outcome, shares["b"] + shares["tie"] / 2)


VARIANT = Majority
