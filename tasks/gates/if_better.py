"""Refreshes only if the policy is shown to be better, and nowhere worse."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.comparing import Compared, Terms, compared
from tasks.gate import GateOutcome, said_worse, too_small, worse_by_more
from tasks.statistics import PairedValues

Probability = Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True, kw_only=True)
class IfBetter:
    """Promoted if on one of the slices `on` policy - reference is significantly above 0.

    One-sided by a paired bootstrap over prompts, Holm-corrected over these slices. What
    `unless_worse` would refuse is refused here, too; nothing is inconclusive: without proof the
    reference stays.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"on": ["win_against_reference"]}
    SEMANTICS: ClassVar[int] = 1

    on: Annotated[list[str], Field(min_length=1)]
    """Slices of which one must be better, by name; * stands for any text."""
    delta: Annotated[float, Field(gt=0)] = 0.03
    """Smallest drop of another slice that matters, in units of the metric."""
    confidence: Probability = 0.95
    """One minus the chance to promote a policy that is nowhere better."""
    power: Probability = 0.8
    """Chance to find a gain, for which the prompts that are needed are told."""
    min_prompts: Annotated[int, Field(ge=2)] = 20
    """Slices with fewer prompts show nothing."""
    resamples: Annotated[int, Field(ge=100)] = 2000
    """Bootstrap samples; more are drawn if the number of slices asks for them."""
    seed: int = 0
    """Of the bootstrap."""

    def __call__(self, slices: Mapping[str, PairedValues]) -> GateOutcome:
        """The outcome over `slices`, by name; higher values must be better."""
        seen = compared(slices, self._terms())
        hoped = {name: one for name, one in slices.items() if self._is_hoped(name)}
        gains = compared(hoped, self._terms())
        needed = too_small(seen)
        if worse := worse_by_more(seen, self.delta, self.confidence):
            said = [said_worse(name, seen[name], self.delta, self.confidence) for name in worse]
            return GateOutcome(outcome="refused", reasons=said, n_needed=needed, slices=seen)
        better = [name for name, one in gains.items() if self._is_better(one)]
        said = [_said(name, one) for name, one in gains.items() if name in better or not better]
        said = said or [f"none of {len(slices)} slices is one of {', '.join(self.on)}"]
        return GateOutcome(
            outcome="promoted" if better else "refused",
            reasons=said,
            n_needed=needed,
            slices=seen,
        )

    def _terms(self) -> Terms:
        return Terms(
            delta=self.delta,
            confidence=self.confidence,
            power=self.power,
            min_prompts=self.min_prompts,
            resamples=self.resamples,
            seed=self.seed,
        )

    def _is_hoped(self, name: str) -> bool:
        return any(fnmatchcase(name, wanted) for wanted in self.on)

    def _is_better(self, one: Compared) -> bool:
        return one.p_better is not None and one.p_better <= 1 - self.confidence


def _said(name: str, one: Compared) -> str:
    if one.estimate is None or one.low is None or one.high is None:
        return f"{name} has {one.n} prompts, which show nothing"
    return (
        f"{name} changed by {one.estimate:+.3f} ({one.low:+.3f} to {one.high:+.3f}, "
        f"{one.n} prompts)"
    )


VARIANT = IfBetter
