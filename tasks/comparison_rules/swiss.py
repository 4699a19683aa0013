"""Compares in waves, as a Swiss-system tournament does: those who stand alike meet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.candidates import Candidate, in_line
from tasks.comparison_rules._budget import within_budget
from tasks.comparison_rules._contract import Heard, Wave, bounded
from tasks.comparison_rules._swiss_pairing import opening, paired, standing


@dataclass(frozen=True, kw_only=True)
class Swiss:
    """In every wave neighbours in the present standing meet; nobody meets twice.

    The first standing is the presumed order. Later the points decide: one for a win, half for a tie
    and for a verdict that was not understood; then the points of those whom one met, then the
    presumed order. Of equal texts the strongest takes part. With an odd number one plays twice in
    the first wave, and one rests in each of the others.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"waves": 3}
    SEMANTICS: ClassVar[int] = 1
    ADAPTIVE: ClassVar[bool] = True

    waves: Annotated[int, Field(ge=1)] | None = None
    """Waves of a prompt; none means log2 of the number of responses, rounded up."""
    budget: Annotated[int, Field(ge=1)] | None = None
    """Most comparisons of a prompt; none means no limit beside the waves."""

    def next(self, candidates: Sequence[Candidate], heard: Sequence[Heard], seed: int) -> Wave:
        """The wave after `heard`, in any order of both."""
        line = in_line(candidates, seed)[::-1]
        enough = self._ends(len(line))[-1]
        left = bounded(enough, len(line), self.budget) - len(heard)
        if left <= 0:
            return Wave([], "waves" if len(heard) >= enough else "budget")
        chosen = paired(standing(line, heard), heard) if heard else opening(line)
        return Wave(within_budget(chosen, left, seed), "no_opponents")

    def most(self, n: int) -> int:
        """All waves, within the budget and as long as some have not met."""
        return bounded(self._ends(n)[-1], n, self.budget)

    def least(self, n: int) -> int:
        """As many as surely find opponents: everybody does in n // 2 waves."""
        ends = self._ends(n)
        return bounded(ends[min(len(ends), max(n // 2, 1)) - 1], n, self.budget)

    def _ends(self, n: int) -> list[int]:
        """Comparisons after each wave."""
        waves = self.waves or max((n - 1).bit_length(), 1)
        return [-(-n // 2) + wave * (n // 2) if n > 1 else 0 for wave in range(waves)]


VARIANT = Swiss
