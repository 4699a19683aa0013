"""A judge changes its mind with the order in which it sees two responses."""

from dataclasses import dataclass

from tasks.queue_reasons._contract import Evidence, Reason


@dataclass(frozen=True, kw_only=True)
class OrdersInconsistent(Reason):
    """Share of the judges whose verdicts in both orders contradict each other: one is wrong."""

    def __call__(self, evidence: Evidence) -> float:
        """By weight, over all judges that spoke."""
        return evidence.share_of("inconsistent")


VARIANT = OrdersInconsistent
