"""Judges that see no difference, or whose replies nobody could read."""

from dataclasses import dataclass

from tasks.queue_reasons._contract import Evidence, Reason


@dataclass(frozen=True, kw_only=True)
class Undecided(Reason):
    """Share of the judges that call it a tie or were not understood: nobody decides by itself."""

    def __call__(self, evidence: Evidence) -> float:
        """By weight, over all judges that spoke."""
        return evidence.share_of("tie", "unparsed")


VARIANT = Undecided
