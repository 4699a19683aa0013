"""The judges contradict what a model prefers by its own probabilities."""

from dataclasses import dataclass
from typing import Any, ClassVar

from tasks.queue_reasons._contract import Evidence, Reason, opposed


@dataclass(frozen=True, kw_only=True)
class AgainstImplicitReward(Reason):
    """Where the other judges together prefer the response that one judge ranks lower.

    The one is meant to be of kind implicit_reward: it has no prompt, no order and no template in
    common with judges that are asked, so it errs in ways of its own.
    """

    EXAMPLE: ClassVar[dict[str, Any]] = {"judge": "implicit"}
    ASKS: ClassVar[str | None] = "judge"

    judge: str
    """Name of the judge that is held against the others; its verdict counts nowhere else here."""

    def __call__(self, evidence: Evidence) -> float:
        """The share of such judges that decide against the others."""
        against = [opposed(evidence.outcome, one.outcome) for one in evidence.sceptics
                   if one.annotator == self.judge]  # fmt: skip
        return sum(against) / len(against) if against else 0.0


VARIANT = AgainstImplicitReward
