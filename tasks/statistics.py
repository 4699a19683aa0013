"""Means, intervals and tests over prompts: what evaluation reports and gates rest on."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from tasks.errors import DataError

Floats = NDArray[np.float64]

_DRAWS_AT_ONCE = 1_000_000
"""Bounds the memory of a bootstrap (numbers)."""
_FEW_VALUES = 8
"""Different values up to which their counts are drawn instead, hundreds of times faster."""


class Mean(NamedTuple):
    """A mean over prompts."""

    value: float
    standard_error: float | None
    """None for fewer than two prompts."""
    n: int


class Interval(NamedTuple):
    """An estimate with its bootstrap interval."""

    estimate: float
    low: float
    high: float
    standard_error: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedValues:
    """One metric on one slice, per prompt, for the policy and for the reference."""

    policy: Mapping[str, float]
    """By prompt_id; higher is better."""
    reference: Mapping[str, float]
    """By prompt_id; higher is better."""

    def differences(self) -> Floats:
        """Policy minus reference for each prompt that both have, sorted by prompt_id."""
        common = sorted(self.policy.keys() & self.reference.keys())
        return np.array([self.policy[one] - self.reference[one] for one in common], dtype=float)


def mean_of(values: Iterable[float]) -> Mean:
    """The mean of `values` and its standard error; DataError for no values."""
    array = np.array(list(values), dtype=float)
    if not len(array):
        raise DataError("there is no mean of no values; leave empty slices out")
    error = float(array.std(ddof=1) / math.sqrt(len(array))) if len(array) > 1 else None
    return Mean(math.fsum(array) / len(array), error, len(array))


def paired_bootstrap(
    values_a: Sequence[float],
    values_b: Sequence[float],
    seed: int,
    resamples: int = 2000,
    confidence: float = 0.95,
) -> Interval:
    """Mean of a - b, paired by position, with the two-sided percentile interval over prompts.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    if len(values_a) != len(values_b) or not len(values_a):
        raise DataError(
            f"a paired bootstrap needs as many values of a as of b, at least one; "
            f"got {len(values_a)} and {len(values_b)}"
        )
    differences = np.asarray(values_a, dtype=float) - np.asarray(values_b, dtype=float)
    means = bootstrap_means(differences, seed, resamples)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(differences.mean()), float(low), float(high), float(means.std()))


def bootstrap_means(values: Floats, seed: int, resamples: int) -> Floats:
    """Means of `resamples` samples of `values` with replacement, shape (resamples,)."""
    generator = np.random.default_rng(seed)
    different, counts = np.unique(values, return_counts=True)
    if len(different) <= _FEW_VALUES:
        # How often each value is drawn is all that a mean depends on.
        drawn = generator.multinomial(len(values), counts / len(values), resamples)
        few: Floats = drawn @ different / len(values)
        return few
    rows = max(1, _DRAWS_AT_ONCE // len(values))
    means = []
    for start in range(0, resamples, rows):
        shape = (min(rows, resamples - start), len(values))
        means.append(values[generator.integers(0, len(values), shape)].mean(axis=1))
    return np.concatenate(means)


def holm(p_values: Mapping[str, float], level: float) -> list[str]:
    """Names whose hypothesis is rejected with a family-wise error of at most `level`.

    Most significant first.
    """
    adjusted = holm_adjusted(p_values)
    ranked = sorted(p_values, key=lambda name: (p_values[name], name))
    return [name for name in ranked if adjusted[name] <= level]


def holm_adjusted(p_values: Mapping[str, float]) -> dict[str, float]:
    """Each p-value adjusted for how many there are, in the same order.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    adjusted: dict[str, float] = {}
    least = 0.0
    for name, p_value in sorted(p_values.items(), key=lambda item: (item[1], item[0])):
        least = max(least, min(1.0, p_value * (len(p_values) - len(adjusted))))
        adjusted[name] = least
    return {name: adjusted[name] for name in p_values}


def prompts_needed(deviation: float, delta: float, level: float, power: float) -> int:
    """Prompts with which a drop of `delta` is found with probability `power`, one-sided at `level`.

    `deviation` is the standard deviation of the differences over prompts.
    """
    quantiles = float(ndtri(1 - level) + ndtri(power))
    return math.ceil((quantiles * deviation / delta) ** 2)


def minimum_detectable(error: float, least: float, level: float, power: float) -> float:
    """The smallest drop that is found with probability `power`, one-sided at `level`.

    `error` is the standard error of the mean difference; an estimate is only called a drop where it
    is larger than `least`, however significant.
    """
    return max(least, float(ndtri(1 - level)) * error) + float(ndtri(power)) * error
