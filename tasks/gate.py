"""What a gate says at the end of a round."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class GateOutcome:
    """Whether the policy becomes the next reference."""

    outcome: Literal["promoted", "inconclusive", "refused"]
    """inconclusive refreshes too, and is flagged."""
    reasons: list[str]
    """Sentences for people, one for each slice that mattered."""
    n_needed: dict[str, int] = field(default_factory=dict)
    """Prompts that each slice too small to decide would need."""

    @property
    def refreshes(self) -> bool:
        """True if the policy becomes the next reference."""
        return self.outcome != "refused"
