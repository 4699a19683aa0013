"""What a gate says at the end of a round."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tasks.comparing import Compared


@dataclass(frozen=True, kw_only=True, slots=True)
class GateOutcome:
    """Whether the policy becomes the next reference."""

    outcome: Literal["promoted", "inconclusive", "refused"]
    """inconclusive refreshes too, and is flagged."""
    reasons: list[str]
    """Sentences for people, one for each slice that mattered."""
    n_needed: dict[str, int] = field(default_factory=dict)
    """Prompts that each slice too small to decide would need."""
    slices: dict[str, Compared] = field(default_factory=dict)
    """What was seen of each guarded slice."""

    @property
    def refreshes(self) -> bool:
        """True if the policy becomes the next reference."""
        return self.outcome != "refused"


def not_measured(every: int, round_index: int) -> GateOutcome:
    """The outcome of a round that is not measured: it refreshes, and the gate is not asked."""
    due = (round_index // every + 1) * every - 1
    reason = f"not measured: evaluation.every is {every}, round {due} is the next that is"
    return GateOutcome(outcome="promoted", reasons=[reason])


def slices_seen(gate: Mapping[str, Any]) -> dict[str, Compared]:
    """The slices that the outcome in a round's manifest names; none in older manifests."""
    return {name: Compared(**one) for name, one in (gate.get("slices") or {}).items()}


def too_small(slices: dict[str, Compared]) -> dict[str, int]:
    """The slices in which a drop of the size that matters may go unseen, and what they need."""
    return {name: one.n_needed for name, one in slices.items() if not one.is_large_enough}


def worse_by_more(slices: dict[str, Compared], delta: float, confidence: float) -> list[str]:
    """The slices that fell by more than `delta`, significantly over all of them, worst first."""
    found = [
        (one.p_worse, name)
        for name, one in slices.items()
        if one.p_worse is not None
        and one.estimate is not None
        and one.p_worse <= 1 - confidence
        and one.estimate < -delta
    ]
    return [name for _, name in sorted(found)]


def said_worse(name: str, one: Compared, delta: float, confidence: float) -> str:
    """How far a slice fell, in words."""
    return (
        f"{name} fell by {-(one.estimate or 0):.3f} (at least {-(one.upper or 0):.3f} with "
        f"{confidence:.0%} confidence, {one.n} prompts); allowed is {delta:g}"
    )


def said_too_small(name: str, one: Compared) -> str:
    """What a slice cannot show, in words."""
    seen = (
        f"; what it would show is a drop of {one.minimum_detectable:.3f}"
        if one.minimum_detectable is not None
        else ""
    )
    return (
        f"{name} has {one.n} prompts; to find a drop of the size that matters it needs "
        f"{one.n_needed}{seen}"
    )
