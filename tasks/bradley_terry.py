"""Strengths from comparisons: P(i beats j) = sigmoid(strength_i - strength_j).

Source: Bradley and Terry, Biometrika 39 (1952); here with a normal prior, so that what won
everything has a finite strength.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from tasks.errors import DataError
from tasks.records import Verdict

Floats = NDArray[np.float64]

DEFAULT_RIDGE = 0.1
"""A prior as strong as that of a normal with variance 10 over each strength."""
MOST_STEPS = 500
"""Newton steps; ordinary data need about five."""
CLOSE_ENOUGH = 1e-20
"""What the last step may still have gained (nats for each verdict): its square is what is left."""


class Fit(NamedTuple):
    """Strengths of n things that were compared."""

    values: Floats
    """Shape (n,), logits; they sum to 0."""
    covariance: Floats
    """Shape (n, n), of `values`."""


class Strength(NamedTuple):
    """How good a cell is, measured against the other cells of the fit."""

    value: float
    """Logits; the strengths of all cells sum to 0."""
    standard_error: float
    """Of `value`."""
    num_verdicts: int
    """Verdicts on the cell's responses that the fit used."""


def fit(wins: Floats, ridge: float = DEFAULT_RIDGE, mean: Floats | None = None) -> Fit:
    """The strengths that explain `wins` best; shape (n, n), [i, j] = how often i beat j.

    Half wins count for ties: errors then are on the safe side. The prior is normal with variance
    1 / `ridge` (above 0) around `mean`, shape (n,), or around 0; `values` are the posterior's mode,
    `covariance` follows from its curvature there.
    """
    if mean is None:
        mean = np.zeros(len(wins))
    met = wins + wins.T
    values = mean.astype(float)
    for _ in range(MOST_STEPS):
        p_wins = expit(values[:, None] - values[None, :])
        slope = ridge * (values - mean) + (met * p_wins - wins).sum(axis=1)
        weights = met * p_wins * (1 - p_wins)
        hessian = np.diag(weights.sum(axis=1) + ridge) - weights
        step = np.linalg.solve(hessian, slope)
        # Comparisons measure differences only: the common shift is the prior's, here and below.
        step -= step.mean()
        values = values - _damping(step) * step
        if slope @ step <= CLOSE_ENOUGH * (1 + met.sum()):
            centre = np.eye(len(wins)) - 1 / len(wins)
            return Fit(centre @ values, centre @ np.linalg.inv(hessian) @ centre)
    raise DataError(
        f"the Bradley-Terry fit of {len(wins)} things has not settled after {MOST_STEPS} steps; "
        f"its ridge is {ridge:g}: take a larger one"
    )


def _damping(step: Floats) -> float:
    """How much of a Newton step is safe: all of a small one.

    The loss is self-concordant in the generalised sense, so that this much never overshoots (Sun
    and Tran-Dinh, Mathematical Programming 178 (2019), with nu = 2).
    """
    longest = float(np.ptp(step))
    return math.log1p(longest) / longest if longest > 0 else 1.0


def wins_of(count: int, votes: Iterable[tuple[int, int, float]]) -> Floats:
    """Who beat whom how often: shape (count, count), from votes (a, b, probability that b wins)."""
    wins = np.zeros((count, count))
    # Sorted: the order of the votes must not change the last digit of a sum.
    for a, b, p_b_wins in sorted(votes):
        if a != b:
            wins[b, a] += p_b_wins
            wins[a, b] += 1 - p_b_wins
    return wins


Vote = tuple[str, str, float]
"""The cells of a and b, and the probability that b is better."""


def votes_of(verdicts: Iterable[Verdict], cell_of: Mapping[str, str]) -> Iterator[Vote]:
    """What `verdicts` on responses in `cell_of` (response id to cell) say of cells.

    The prior, unparsed verdicts and comparisons within a cell say nothing about cells.
    """
    for verdict in verdicts:
        p_b_wins = _p_b_wins(verdict)
        if p_b_wins is not None and verdict.a_id in cell_of and verdict.b_id in cell_of:
            yield cell_of[verdict.a_id], cell_of[verdict.b_id], p_b_wins


def fit_strengths(
    verdicts: Iterable[Verdict], cell_of: Mapping[str, str], ridge: float = DEFAULT_RIDGE
) -> dict[str, Strength]:
    """The strength of every cell in `cell_of` (response id to cell), by judges and people."""
    return fit_votes(Counter(votes_of(verdicts, cell_of)), set(cell_of.values()), ridge)


def fit_votes(
    votes: Mapping[Vote, int], known: Set[str], ridge: float = DEFAULT_RIDGE
) -> dict[str, Strength]:
    """The strength of every cell in `known`; `votes` say how often each was given."""
    if not known:
        return {}
    cells = sorted(known)
    place = {cell: i for i, cell in enumerate(cells)}
    numbered = ((place[a], place[b], p) for (a, b, p), n in votes.items() for _ in range(n))
    wins = wins_of(len(cells), numbered)
    fitted = fit(wins, ridge)
    errors = np.sqrt(np.diag(fitted.covariance))
    counts = (wins + wins.T).sum(axis=1).round().astype(int)
    return {
        cell: Strength(float(value), float(error), int(count))
        for cell, value, error, count in zip(cells, fitted.values, errors, counts, strict=True)
    }


def _p_b_wins(verdict: Verdict) -> float | None:
    if verdict.annotator_kind not in ("judge", "human"):
        return None
    if verdict.outcome not in ("a", "b", "tie"):
        return None
    if verdict.p_b_wins is not None:
        return verdict.p_b_wins
    return {"a": 0.0, "tie": 0.5, "b": 1.0}[verdict.outcome]
