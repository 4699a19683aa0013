"""Strengths from comparisons: P(i beats j) = sigmoid(strength_i - strength_j).

Source: Bradley and Terry, Biometrika 39 (1952); here with a ridge, so that a cell that won
everything has a finite strength.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from tasks.records import Verdict

Floats = NDArray[np.float64]

DEFAULT_RIDGE = 0.1
"""A prior as strong as that of a normal with variance 10 over each strength."""


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


def fit(wins: Floats, ridge: float = DEFAULT_RIDGE) -> Fit:
    """The strengths that explain `wins` best; shape (n, n), [i, j] = how often i beat j.

    Half wins count for ties. `ridge` is half the penalty on squared strengths and must be above 0.
    """

    def loss(values: Floats) -> float:
        gaps = values[:, None] - values[None, :]
        return float((wins * np.logaddexp(0, -gaps)).sum() + ridge / 2 * (values**2).sum())

    def gradient(values: Floats) -> Floats:
        lost = wins * expit(values[None, :] - values[:, None])
        slope: Floats = ridge * values - lost.sum(axis=1) + lost.sum(axis=0)
        return slope

    def curvature(values: Floats) -> Floats:
        p = expit(values[:, None] - values[None, :])
        weights = (wins + wins.T) * p * (1 - p)
        hessian: Floats = np.diag(weights.sum(axis=1) + ridge) - weights
        return hessian

    start = np.zeros(len(wins))
    found: Any = minimize(
        loss, start, method="trust-exact", jac=gradient, hess=curvature, options={"gtol": 1e-9}
    )
    # Only differences are measured: the common shift, which the ridge alone holds, is taken out.
    centre = np.eye(len(wins)) - 1 / len(wins)
    return Fit(centre @ found.x, centre @ np.linalg.inv(curvature(found.x)) @ centre)


def fit_strengths(
    verdicts: Iterable[Verdict], cell_of: Mapping[str, str], ridge: float = DEFAULT_RIDGE
) -> dict[str, Strength]:
    """The strength of every cell in `cell_of` (response id to cell), by judges and people.

    The prior, unparsed verdicts and comparisons within a cell say nothing about cells.
    """
    cells = sorted(set(cell_of.values()))
    if not cells:
        return {}
    place = {cell: i for i, cell in enumerate(cells)}
    votes = [
        (place[cell_of[verdict.a_id]], place[cell_of[verdict.b_id]], p_b_wins)
        for verdict in verdicts
        if (p_b_wins := _p_b_wins(verdict)) is not None
    ]
    wins = np.zeros((len(cells), len(cells)))
    # Sorted: the order of the verdicts must not change the last digit of a sum.
    for a, b, p_b_wins in sorted(votes):
        if a != b:
            wins[b, a] += p_b_wins
            wins[a, b] += 1 - p_b_wins
    fitted = fit(wins, ridge)
    errors = np.sqrt(np.diag(fitted.covariance))
    counts = (wins + wins.T).sum(axis=1).round().astype(int)
    return {
        cell: Strength(float(value), float(error), int(count))
        for cell, value, error, count in zip(cells, fitted.values, errors, counts, strict=True)
    }


def _p_b_wins(verdict: Verdict) -> float | None:
    if verdict.annotator_kind == "prior":
        return None
    if verdict.outcome not in ("a", "b", "tie"):
        return None
    if verdict.p_b_wins is not None:
        return verdict.p_b_wins
    return {"a": 0.0, "tie": 0.5, "b": 1.0}[verdict.outcome]
