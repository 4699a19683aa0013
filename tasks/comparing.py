"""Policy beside reference on the same prompts: how far apart, how sure, what could be seen."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.seeds import seed_of
from tasks.statistics import (
    Floats,
    PairedValues,
    bootstrap_means,
    holm_adjusted,
    minimum_detectable,
    prompts_needed,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """On which terms two models are compared."""

    delta: float = 0.03
    """Smallest drop that matters, in units of the metric."""
    confidence: float = 0.95
    """Of each interval, and one minus the error over all slices together."""
    power: float = 0.8
    """Chance with which a drop is to be found."""
    min_prompts: int = 20
    """A slice with fewer is not tested."""
    resamples: int = 2000
    """Bootstrap samples; more are drawn if the number of slices asks for them."""
    seed: int = 0
    """Of the bootstrap."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """One metric on one slice: policy minus reference, paired by prompt; higher is better."""

    n: int
    """Prompts that both answered."""
    estimate: float | None = None
    """Mean difference; None without a prompt."""
    low: float | None = None
    """Lower end of the two-sided interval; None for fewer than two prompts."""
    high: float | None = None
    """Upper end of the two-sided interval."""
    upper: float | None = None
    """One-sided upper bound: below 0 the drop is significant, were there no other slice."""
    p_worse: float | None = None
    """Of no drop, Holm-adjusted over all slices that are tested; None if this one is not."""
    p_better: float | None = None
    """Of no gain, adjusted likewise."""
    minimum_detectable: float | None = None
    """Smallest drop that would be found with the chance asked for."""
    n_needed: int
    """Prompts with which that would be a drop of delta."""

    @property
    def is_large_enough(self) -> bool:
        """Whether a drop of delta would be found here."""
        return self.n >= self.n_needed


def compared(slices: Mapping[str, PairedValues], terms: Terms) -> dict[str, Compared]:
    """Each slice by name, with intervals of a paired bootstrap over prompts."""
    differences = {name: slices[name].differences() for name in sorted(slices)}
    tested = [name for name, d in differences.items() if len(d) >= terms.min_prompts]
    level = (1 - terms.confidence) / max(1, len(tested))
    means = {
        name: _means(name, values, level, terms)
        for name, values in differences.items()
        if len(values) > 1
    }
    p_worse = holm_adjusted({name: _share(means[name] >= 0) for name in tested})
    p_better = holm_adjusted({name: _share(means[name] <= 0) for name in tested})
    return {
        name: Compared(
            p_worse=p_worse.get(name),
            p_better=p_better.get(name),
            **_interval(means.get(name), terms),
            **_sizes(values, level, terms),
        )
        for name, values in differences.items()
    }


def _means(name: str, values: Floats, level: float, terms: Terms) -> Floats:
    """Means of bootstrap samples; enough of them for the smallest p-value to pass `level`."""
    seed = seed_of(terms.seed, "gate", name)
    means = bootstrap_means(values, seed, terms.resamples)
    if terms.resamples < 2 / level and (means.max() < 0 or means.min() > 0):
        means = bootstrap_means(values, seed, math.ceil(2 / level))
    return means


def _share(hits: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float:
    """A p-value from bootstrap samples, never 0."""
    return float((1 + hits.sum()) / (len(hits) + 1))


def _interval(means: Floats | None, terms: Terms) -> dict[str, Any]:
    if means is None:
        return {}
    tail = (1 - terms.confidence) / 2
    low, high, upper = np.quantile(means, [tail, 1 - tail, terms.confidence])
    return {"low": float(low), "high": float(high), "upper": float(upper)}


def _sizes(values: Floats, level: float, terms: Terms) -> dict[str, Any]:
    """The estimate, and what could be found at this size."""
    if len(values) < 2:
        mean = float(values[0]) if len(values) else None
        return {"n": len(values), "estimate": mean, "n_needed": terms.min_prompts}
    deviation = float(values.std(ddof=1))
    error = deviation / math.sqrt(len(values))
    needed = prompts_needed(deviation, terms.delta, level=level, power=terms.power)
    return {
        "n": len(values),
        "estimate": float(values.mean()),
        "minimum_detectable": minimum_detectable(error, terms.delta, level, terms.power),
        "n_needed": max(terms.min_prompts, needed),
    }
