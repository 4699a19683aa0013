"""Refreshes unless some guarded slice got worse: the policy need not be better to go on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.comparing import Terms, compared
from tasks.gate import GateOutcome, said_too_small, said_worse, too_small, worse_by_more
from tasks.statistics import PairedValues

Probability = Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True, kw_only=True)
class UnlessWorse:
    """Refused if on some slice policy - reference is below -delta and significantly below 0.

    Significance is one-sided by a paired bootstrap over prompts, Holm-corrected over the slices.
    A slice with too few prompts to find a drop of `delta` makes the outcome inconclusive.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"delta": 0.05}
    SEMANTICS: ClassVar[int] = 2

    delta: Annotated[float, Field(gt=0)] = 0.03
    """Smallest drop that matters, in units of the metric."""
    confidence: Probability = 0.95
    """One minus the chance to refuse a policy that is nowhere worse."""
    power: Probability = 0.8
    """Chance to find a drop of `delta` that a slice must offer to be conclusive."""
    min_prompts: Annotated[int, Field(ge=2)] = 20
    """Slices with fewer prompts cannot refuse."""
    resamples: Annotated[int, Field(ge=100)] = 2000
    """Bootstrap samples; more are drawn if the number of slices asks for them."""
    seed: int = 0
    """Of the bootstrap."""

    def __call__(self, slices: Mapping[str, PairedValues]) -> GateOutcome:
        """The outcome over `slices`, by name; higher values must be better."""
        seen = compared(slices, Terms(**asdict(self)))
        needed = too_small(seen)
        if worse := worse_by_more(seen, self.delta, self.confidence):
            said = [said_worse(name, seen[name], self.delta, self.confidence) for name in worse]
            return GateOutcome(outcome="refused", reasons=said, n_needed=needed, slices=seen)
        if needed:
            said = [said_too_small(name, seen[name]) for name in needed]
            return GateOutcome(outcome="inconclusive", reasons=said, n_needed=needed, slices=seen)
        said = [f"none of {len(slices)} slices is worse"]
        return GateOutcome(outcome="promoted", reasons=said, slices=seen)


VARIANT = UnlessWorse
