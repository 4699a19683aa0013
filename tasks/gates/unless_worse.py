"""Refreshes unless some guarded slice got worse: the policy need not be better to go on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from pydantic import ConfigDict, Field

from tasks.gate import GateOutcome
from tasks.seeds import seed_of
from tasks.statistics import Floats, PairedValues, bootstrap_means, holm, prompts_needed

Probability = Annotated[float, Field(gt=0, lt=1)]


class _Measured(NamedTuple):
    """One slice, resampled over its prompts."""

    n: int
    needed: int
    estimate: float
    bound: float
    """Upper confidence bound, not corrected for the number of slices."""
    p_value: float
    """Of the hypothesis that the policy is not worse."""


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
    SEMANTICS: ClassVar[int] = 1

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
        differences = {name: slices[name].differences() for name in sorted(slices)}
        large = {name: d for name, d in differences.items() if len(d) >= self.min_prompts}
        level = (1 - self.confidence) / max(1, len(large))
        measured = {name: self._measure(name, d, level) for name, d in large.items()}
        significant = holm({n: m.p_value for n, m in measured.items()}, 1 - self.confidence)
        worse = [name for name in significant if measured[name].estimate < -self.delta]
        needed = {name: self.min_prompts for name in differences if name not in large}
        needed |= {name: m.needed for name, m in measured.items() if m.n < m.needed}
        if worse:
            reasons = [self._worse(name, measured[name]) for name in worse]
            return GateOutcome(outcome="refused", reasons=reasons, n_needed=needed)
        if needed:
            reasons = [_too_small(name, len(differences[name]), n) for name, n in needed.items()]
            return GateOutcome(outcome="inconclusive", reasons=reasons, n_needed=needed)
        return GateOutcome(outcome="promoted", reasons=[f"none of {len(slices)} slices is worse"])

    def _measure(self, name: str, differences: Floats, level: float) -> _Measured:
        seed = seed_of(self.seed, "gate", name)
        means = bootstrap_means(differences, seed, self.resamples)
        if self.resamples < 2 / level and means.max() < 0:
            # The smallest p-value is 1 / (resamples + 1); it must be able to pass `level`.
            means = bootstrap_means(differences, seed, math.ceil(2 / level))
        needed = prompts_needed(
            float(differences.std(ddof=1)), self.delta, level=level, power=self.power
        )
        return _Measured(
            n=len(differences),
            needed=max(self.min_prompts, needed),
            estimate=float(differences.mean()),
            bound=float(np.quantile(means, self.confidence)),
            p_value=float((1 + (means >= 0).sum()) / (len(means) + 1)),
        )

    def _worse(self, name: str, measured: _Measured) -> str:
        return (
            f"{name} fell by {-measured.estimate:.3f} (at least {-measured.bound:.3f} with "
            f"{self.confidence:.0%} confidence, {measured.n} prompts); allowed is {self.delta:g}"
        )


def _too_small(name: str, n: int, needed: int) -> str:
    return f"{name} has {n} prompts; to find a drop of the size that matters it needs {needed}"


VARIANT = UnlessWorse
