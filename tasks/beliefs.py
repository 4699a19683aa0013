"""What is believed of one comparison, before it becomes a Preference."""

from typing import NamedTuple


class Belief(NamedTuple):
    """The outcome of correction for one comparison."""

    outcome: str
    """a, b or dropped."""
    p_b_wins: float
    """Probability that b is better, 0 to 1; 0.5 where dropped."""
    decided_by: str
    """prior, judge, human or none."""
    reason: str
    """Why; see Preference.reason."""


def dropped(reason: str) -> Belief:
    """The belief that nothing can be said, for `reason`."""
    return Belief("dropped", 0.5, "none", reason)
