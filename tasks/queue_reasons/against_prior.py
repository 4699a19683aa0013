"""The judges turn the presumed order round."""

from dataclasses import dataclass

from tasks.queue_reasons._contract import Evidence, Reason, opposed


@dataclass(frozen=True, kw_only=True)
class AgainstPrior(Reason):
    """Where the judges together prefer the response of the cell that is presumed weaker."""

    def __call__(self, evidence: Evidence) -> float:
        """1 where they decide against the prior, else 0."""
        return opposed(evidence.outcome, evidence.prior)


VARIANT = AgainstPrior
