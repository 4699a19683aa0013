"""Means over seeds and prompts, and how sure they are: both are drawn, and few seeds are few.

Values stand in an array (seeds, prompts). A mean varies because other seeds, other prompts, and
other pairs of them could have been drawn: Var = (MS_seed + MS_prompt - MS_rest) / (S P), the
two-way layout with random effects, with Satterthwaite's degrees of freedom (Biometrics 2, 1946).
Resampling five seeds would make the interval too narrow by a tenth or more.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student

from tasks.statistics import Floats, holm

LEVEL = 0.05
POWER = 0.8


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float
    error: float
    """Standard error."""
    freedom: float
    """Degrees of freedom of the error; few where seeds differ much."""
    p: float
    """Of a mean of zero, two-sided."""
    seeds: int
    prompts: int

    @property
    def detectable(self) -> float:
        """The smallest true mean that would have been told from zero four times in five."""
        quantiles = student.ppf([1 - LEVEL / 2, POWER], self.freedom)
        return float(quantiles.sum() * self.error)

    def rounded(self) -> dict[str, float]:
        """As results hold it."""
        found = {name: round(value, 5) for name, value in vars(self).items()}
        return found | {"detectable": round(self.detectable, 5)}


def estimate(values_SP: Floats) -> Estimate:
    """The mean of `values_SP` (seeds, prompts) with its interval."""
    num_seeds, num_prompts = values_SP.shape
    mean = float(values_SP.mean())
    variance, freedom = _variance(values_SP)
    error = math.sqrt(variance)
    reach = float(student.ppf(1 - LEVEL / 2, freedom)) * error
    p = 2 * float(student.sf(abs(mean) / error, freedom)) if error else float(mean == 0)
    return Estimate(
        mean=mean, low=mean - reach, high=mean + reach, error=error, freedom=freedom, p=p,
        seeds=num_seeds, prompts=num_prompts,
    )  # fmt: skip


def _variance(values_SP: Floats) -> tuple[float, float]:
    """Variance of the mean, and its degrees of freedom."""
    num_seeds, num_prompts = values_SP.shape
    seeds, prompts = values_SP.mean(1), values_SP.mean(0)
    if num_seeds == 1:
        return float(prompts.var(ddof=1) / num_prompts), float(num_prompts - 1)
    rest = values_SP - seeds[:, None] - prompts[None, :] + values_SP.mean()
    degrees = (num_seeds - 1, num_prompts - 1, (num_seeds - 1) * (num_prompts - 1))
    squares = (
        num_prompts * float(seeds.var(ddof=1)),
        num_seeds * float(prompts.var(ddof=1)),
        float((rest**2).sum()) / degrees[2],
    )
    whole = max(squares[0] + squares[1] - squares[2], squares[0], squares[1])
    if not whole:
        return 0.0, float(degrees[0])
    freedom = whole**2 / sum(one**2 / degree for one, degree in zip(squares, degrees, strict=True))
    return whole / (num_seeds * num_prompts), max(float(degrees[0]), freedom)


def array_of(by_seed: Mapping[int, Mapping[str, float]], seeds: Sequence[int]) -> Floats:
    """Values (seeds, prompts) of `seeds`, prompts sorted; KeyError where one lacks a prompt."""
    prompts = sorted(by_seed[seeds[0]])
    return np.array([[by_seed[seed][one] for one in prompts] for seed in seeds], dtype=float)


def judged(differences: Mapping[str, Estimate], delta: float) -> dict[str, str]:
    """What each difference to the main variant says, all of them together at 5 % (Holm).

    better: main is; worse: main is; none: smaller than `delta` either way; unknown: cannot tell.
    """
    sure = set(holm({name: one.p for name, one in differences.items()}, LEVEL))

    def verdict(name: str, one: Estimate) -> str:
        if name in sure:
            return "better" if one.mean > 0 else "worse"
        return "none" if -delta < one.low and one.high < delta else "unknown"

    return {name: verdict(name, one) for name, one in differences.items()}


def figures(differences: Mapping[str, Estimate], delta: float) -> dict[str, dict[str, Any]]:
    """The differences with their verdicts, as results hold them."""
    verdicts = judged(differences, delta)
    return {name: {**one.rounded(), "verdict": verdicts[name]} for name, one in differences.items()}
