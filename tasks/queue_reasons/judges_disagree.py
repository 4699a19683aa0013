"""Judges contradict each other."""

from dataclasses import dataclass

from tasks.queue_reasons._contract import Evidence, Reason


@dataclass(frozen=True, kw_only=True)
class JudgesDisagree(Reason):
    """How evenly the judges that decide are split: 1 where as many say a as b."""

    def __call__(self, evidence: Evidence) -> float:
        """Twice the share of the smaller side among the judges that decide."""
        sides = evidence.weight_of("a"), evidence.weight_of("b")
        return 2 * min(sides) / sum(sides) if min(sides) else 0.0


VARIANT = JudgesDisagree
