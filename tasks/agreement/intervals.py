"""Estimates with bootstrap intervals over prompts; what cannot be measured says why."""

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import DegenerateDataWarning, binomtest, bootstrap

from tasks.agreement.settings import AgreementSettings

Floats = NDArray[np.float64]
Statistic = Callable[[NDArray[np.int64]], float]
"""From drawn prompts (their places, with repeats) to a figure; NaN where it has no value."""


class Estimate(NamedTuple):
    """A figure with its interval, or the reason why there is none."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    prompts: int
    reason: str = ""


class Sampling(NamedTuple):
    """How intervals are drawn."""

    settings: AgreementSettings
    seed: int


def not_measurable(reason: str, n: int = 0, prompts: int = 0) -> Estimate:
    """The estimate that there is none."""
    return Estimate(None, None, None, n, prompts, reason)


def estimated(
    statistic: Statistic, prompts: int, n: int, sampling: Sampling, undefined: str
) -> Estimate:
    """The value of `statistic` over all prompts with its percentile interval.

    `undefined` is the reason where it has no value. Draws in which it has none are left out.
    """
    settings = sampling.settings
    if not n:
        return not_measurable(undefined)
    if prompts < settings.min_prompts:
        few = f"only {prompts} prompts; agreement.min_prompts is {settings.min_prompts}"
        return not_measurable(few, n, prompts)
    everything = np.arange(prompts)
    value = float(statistic(everything))
    if not math.isfinite(value):
        return not_measurable(undefined, n, prompts)
    drawn = _drawn(statistic, everything, sampling)
    tail = (1 - settings.confidence) / 2
    low, high = np.quantile(drawn[np.isfinite(drawn)], [tail, 1 - tail])
    return Estimate(value, float(low), float(high), n, prompts)


def _drawn(statistic: Statistic, everything: NDArray[np.int64], sampling: Sampling) -> Floats:
    """The statistic of each resample of prompts."""
    with warnings.catch_warnings():
        # It warns where a draw has no value, of an interval that is not used here.
        warnings.simplefilter("ignore", DegenerateDataWarning)
        found = bootstrap(
            (everything,),
            statistic,
            vectorized=False,
            n_resamples=sampling.settings.resamples,
            method="percentile",
            rng=np.random.default_rng(sampling.seed),
        )
    drawn: Floats = found.bootstrap_distribution
    return drawn


def share(rows: Iterable[tuple[str, float]], sampling: Sampling, undefined: str) -> Estimate:
    """The mean of values between 0 and 1, given with their prompts.

    Where every value is the same, no resample differs: the interval is then Wilson's, over prompts.
    """
    found = mean(rows, sampling, undefined)
    if found.value not in (0.0, 1.0):
        return found
    exact = binomtest(round(found.value * found.prompts), found.prompts)
    ends = exact.proportion_ci(sampling.settings.confidence, method="wilson")
    return found._replace(low=float(ends.low), high=float(ends.high))


def mean(rows: Iterable[tuple[str, float]], sampling: Sampling, undefined: str) -> Estimate:
    """The mean of values given with their prompts, which are what is drawn."""
    given = list(rows)
    sums = sums_by_prompt([(prompt, (value, 1.0)) for prompt, value in given])

    def ratio(drawn: NDArray[np.int64]) -> float:
        total, number = sums[drawn].sum(axis=0)
        return float(total / number)

    return estimated(ratio, len(sums), len(given), sampling, undefined)


def sums_by_prompt(rows: Sequence[tuple[str, Sequence[float]]]) -> Floats:
    """The sum of the values of each prompt, shape (prompts, values), by prompt_id."""
    places = places_of(prompt for prompt, _ in rows)
    width = len(rows[0][1]) if rows else 0
    sums = np.zeros((len(places), width))
    for prompt, values in rows:
        sums[places[prompt]] += np.asarray(values, dtype=float)
    return sums


def places_of(prompts: Iterable[str]) -> dict[str, int]:
    """The place of each prompt in the order of ids."""
    return {prompt: place for place, prompt in enumerate(sorted(set(prompts)))}


def shifted(estimate: Estimate, by: float) -> Estimate:
    """`estimate` with `by` added to value and ends."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return estimate
    return estimate._replace(
        value=estimate.value + by, low=estimate.low + by, high=estimate.high + by
    )
