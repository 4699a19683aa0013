"""How unsure a Bradley-Terry posterior is of an order, and which comparisons tell most of it."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from tasks.bradley_terry import Fit, Floats

Pairs = list[tuple[int, int]]
Flags = NDArray[np.bool_]

DIGITS = 9
"""Worths that differ by less are equal, so that another processor's rounding decides nothing."""


def p_wrong(known: Fit) -> Floats:
    """Shape (n, n): the probability that two stand in the wrong order."""
    gaps = known.values[:, None] - known.values[None, :]
    p: Floats = ndtr(-np.abs(gaps) / np.sqrt(_variance_of_gaps(known)))
    return p


def worth(known: Fit) -> Floats:
    """Shape (n, n): what comparing two tells about their order.

    The probability that the order is wrong, times the information of a verdict p (1 - p) in units
    of what is known of the difference (its variance).
    """
    p_wins = expit(known.values[:, None] - known.values[None, :])
    said: Floats = p_wins * (1 - p_wins) * _variance_of_gaps(known)
    return np.round(p_wrong(known) * said, DIGITS)


def most_telling(known: Fit, met: Flags, count: int) -> Pairs:
    """Up to `count` pairs that have not met, each chosen as if the former's verdicts were in.

    How sure one will be then is known beforehand; who will win is not.
    """
    chosen: Pairs = []
    barred = met.copy()
    while len(chosen) < count and not barred.all():
        pair = _best(known, ~barred)
        barred[pair] = barred[pair[::-1]] = True
        chosen.append(pair)
        known = _surer(known, *pair)
    return chosen


def everybody_once(known: Fit, met: Flags, count: int) -> Pairs:
    """As `most_telling`, of those who have met nobody yet; with an odd number one plays twice."""
    chosen: Pairs = []
    waiting = np.ones(len(met), dtype=bool)
    while len(chosen) < count and waiting.any():
        both = waiting[:, None] & waiting[None, :] & ~met
        allowed = both if both.any() else waiting[:, None] & ~met
        pair = _best(known, allowed)
        waiting[list(pair)] = False
        chosen.append(pair)
        known = _surer(known, *pair)
    return chosen


def _best(known: Fit, allowed: Flags) -> tuple[int, int]:
    i, j = divmod(int(np.where(allowed, worth(known), -1.0).argmax()), len(known.values))
    return i, j


def _surer(known: Fit, i: int, j: int) -> Fit:
    """`known` after one more verdict on `i` and `j`, whoever wins: values stay, errors shrink."""
    toward = known.covariance[:, i] - known.covariance[:, j]
    variance = toward[i] - toward[j]
    p_wins = expit(known.values[i] - known.values[j])
    weight = p_wins * (1 - p_wins)
    shrunk = np.outer(toward, toward) * weight / (1 + weight * variance)
    return Fit(known.values, known.covariance - shrunk)


def _variance_of_gaps(known: Fit) -> Floats:
    own = np.diag(known.covariance)
    variance: Floats = own[:, None] + own[None, :] - 2 * known.covariance
    return np.maximum(variance, np.finfo(float).tiny)
