"""What a round has found out about its judges and people, as it is kept in agreement.json."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.agreement.drift import Drift
from tasks.agreement.figures import QualityFigure
from tasks.agreement.floors import Breach


@dataclass(frozen=True, kw_only=True)
class FeedbackQuality:
    """What is known of the round's judges and people."""

    figures: list[QualityFigure] = field(default_factory=list)
    """Biases and agreement."""
    drift: list[Drift] = field(default_factory=list)
    """What changed since earlier rounds."""
    breaches: list[Breach] = field(default_factory=list)
    """What floors and ceilings object to."""

    @classmethod
    def of(cls, known: Mapping[str, Any]) -> "FeedbackQuality":
        """As a round's agreement.json holds it; empty for a round that has none."""
        return cls(
            figures=[QualityFigure(**row) for row in known.get("figures", [])],
            drift=[Drift(**row) for row in known.get("drift", [])],
            breaches=[Breach(**row) for row in known.get("breaches", [])],
        )
