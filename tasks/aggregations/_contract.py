"""What an aggregation gets and gives.

It is called with every vote of the round at once, known answers among them, and returns what the
people together say of each comparison that a person spoke of.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

OUTCOMES = ("a", "b", "tie")
"""What a vote may say; skip and both_bad are none."""


class Vote(NamedTuple):
    """What one person says of one comparison."""

    comparison: str
    """Names the comparison, alike for all who made it."""
    annotator: str
    outcome: str


class Together(NamedTuple):
    """What all people together say of one comparison."""

    outcome: str
    """a, b or tie."""
    p_b_wins: float
    """Probability that b is better, a tie counting one half."""


Known = Mapping[str, str]
"""Outcomes that are known beforehand, by comparison."""


def together(shares: Sequence[float]) -> Together:
    """From the probabilities of a, b and tie, which sum to 1."""
    best = max(range(3), key=lambda place: shares[place])
    return Together(OUTCOMES[best], shares[1] + shares[2] / 2)
