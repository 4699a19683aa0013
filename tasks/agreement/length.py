"""How much length alone moves a judge: a logistic regression that holds cells and order fixed."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, ndtri

from tasks.agreement.intervals import Estimate, Floats, not_measurable, places_of
from tasks.agreement.settings import AgreementSettings
from tasks.records import Response, Verdict
from tasks.voices import P_B_WINS, p_b_wins

RIDGE = 0.1
"""Penalty on squared coefficients: a cell that won everything has a finite strength."""
NO_LENGTHS = "no readable verdict is on responses of different length"
LENGTH_IS_CELL = "lengths differ between cells alone, so length cannot be told from quality"


def length_effect(
    verdicts: Sequence[Verdict], responses: Mapping[str, Response], settings: AgreementSettings
) -> Estimate:
    """Change of the log-odds to win when a response is twice as long; cells and order held fixed.

    The interval is a sandwich estimate with prompts as clusters (Liang and Zeger, Biometrika 73,
    1986): a bootstrap would fit the regression a thousand times.
    """
    rows = [row for row in verdicts if row.outcome in P_B_WINS and row.a_id != row.b_id]
    doublings = np.array([_doublings(row, responses) for row in rows])
    if not np.any(doublings):
        return not_measurable(NO_LENGTHS)
    places = places_of(row.prompt_id for row in rows)
    if len(places) < settings.min_prompts:
        few = f"only {len(places)} prompts; agreement.min_prompts is {settings.min_prompts}"
        return not_measurable(few, len(rows), len(places))
    held = _held_fixed(rows, responses)
    if _explains(held, doublings):
        return not_measurable(LENGTH_IS_CELL, len(rows), len(places))
    design = np.column_stack([doublings, held])
    clusters = np.array([places[row.prompt_id] for row in rows], dtype=np.int64)
    wins = np.array([p_b_wins(row) for row in rows])
    value, error = _first_coefficient(design, wins, clusters)
    half = float(ndtri(0.5 + settings.confidence / 2)) * error
    return Estimate(value, value - half, value + half, len(rows), len(places))


def _doublings(row: Verdict, responses: Mapping[str, Response]) -> float:
    """How often b's length is twice a's (base-2 logarithm); an empty text counts as one letter."""
    a, b = (max(1, len(responses[name].text)) for name in (row.a_id, row.b_id))
    return math.log2(b / a)


def _held_fixed(rows: Sequence[Verdict], responses: Mapping[str, Response]) -> Floats:
    """One column for the order shown, and one for each cell but the first: b's less a's."""
    cells = sorted({responses[name].cell for row in rows for name in (row.a_id, row.b_id)})
    place = {cell: 1 + number for number, cell in enumerate(cells[1:])}
    columns = np.zeros((len(rows), len(cells)))
    for line, row in enumerate(rows):
        columns[line, 0] = {"a": -1.0, "b": 1.0}.get(row.first_shown, 0.0)
        for name, sign in ((row.a_id, -1.0), (row.b_id, 1.0)):
            if column := place.get(responses[name].cell):
                columns[line, column] += sign
    return columns


def _explains(held: Floats, doublings: Floats) -> bool:
    """Whether the columns held fixed leave nothing of the lengths."""
    fitted, *_ = np.linalg.lstsq(held, doublings, rcond=None)
    return bool(np.allclose(held @ fitted, doublings, atol=1e-9))


def _first_coefficient(
    design: Floats, wins: Floats, clusters: NDArray[np.int64]
) -> tuple[float, float]:
    """The first coefficient of a logistic regression without intercept, and its standard error.

    Without one, nothing changes when the two sides of every verdict are swapped.
    """

    def loss(beta: Floats) -> float:
        score = design @ beta
        fit = np.logaddexp(0, score).sum() - wins @ score
        return float(fit + RIDGE / 2 * beta @ beta)

    def gradient(beta: Floats) -> Floats:
        slope: Floats = design.T @ (expit(design @ beta) - wins) + RIDGE * beta
        return slope

    def curvature(beta: Floats) -> Floats:
        p = expit(design @ beta)
        hessian: Floats = (design * (p * (1 - p))[:, None]).T @ design
        return hessian + RIDGE * np.eye(design.shape[1])

    start = np.zeros(design.shape[1])
    found = minimize(
        loss, start, method="trust-exact", jac=gradient, hess=curvature, options={"gtol": 1e-9}
    ).x
    residuals = design * (wins - expit(design @ found))[:, None]
    scores = np.zeros((int(clusters.max()) + 1, design.shape[1]))
    np.add.at(scores, clusters, residuals)
    bread = np.linalg.inv(curvature(found))
    few = len(scores) / (len(scores) - 1)  # clusters are few against what is estimated
    covariance = few * bread @ (scores.T @ scores) @ bread
    return float(found[0]), math.sqrt(float(covariance[0, 0]))
