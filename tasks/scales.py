"""From two scores of one judge to its opinion on the two responses: the only place for that.

A gap within the tolerance is a tie. Otherwise the higher score wins with
p = (1 + margin) / 2, where the margin (0 to 1) is

- the gap as a share of the scale, on a scale with ends: 4 against 3 on 1 to 5 is 0.25, p = 0.625;
- tanh(gap / (2 temperature)), on a scale without ends: p = sigmoid(gap / temperature), the rule of
  Bradley and Terry that reward models are trained by.
"""

import math
from dataclasses import dataclass

from tasks.opinions import Opinion

ROUNDING = 1e-12
"""Gaps that differ by less are equal: weighted means are rounded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """What the numbers of a scoring judge mean; higher is better."""

    name: str
    """As it stands in verdicts, e.g. 1-5."""
    low: float | None = None
    """Lowest score; None: there is no lowest."""
    high: float | None = None
    """Highest score; None: there is no highest."""
    tolerance: float = 0.0
    """Scores that differ by no more than this tie."""
    temperature: float = 1.0
    """Gap at which the better one wins with 73 %, on a scale without ends."""
    certain: bool = False
    """A decision counts as certain (p is not given), however small the gap."""

    def margin(self, gap: float) -> float:
        """How one-sided scores that differ by `gap` are, 0 to 1."""
        if self.low is None or self.high is None:
            return math.tanh(abs(gap) / (2 * self.temperature))
        return min(1.0, abs(gap) / (self.high - self.low))

    def opinion(self, first: float | None, second: float | None) -> Opinion:
        """Which of two scored responses is better; unparsed if one has no score."""
        if first is None or second is None:
            return Opinion(outcome="unparsed")
        gap = second - first
        margin = self.margin(gap)
        p = (1 + math.copysign(margin, gap)) / 2
        if abs(gap) <= self.tolerance + ROUNDING or p == 0.5:
            return Opinion(outcome="tie")
        return Opinion(
            outcome="second" if gap > 0 else "first",
            p_second_wins=None if self.certain else p,
            strength=margin,
        )
