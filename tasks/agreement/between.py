"""How far annotators agree: raw, Cohen's kappa, Krippendorff's alpha."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import krippendorff
import numpy as np
from numpy.typing import NDArray

from tasks.agreement.intervals import (
    Estimate,
    Floats,
    Sampling,
    estimated,
    not_measurable,
    places_of,
    share,
    sums_by_prompt,
)
from tasks.agreement.labels import NUM_LABELS, Item, Labels

NO_OVERLAP = "no comparison was judged by both"
ONE_LABEL = "all labels are the same, so chance alone would agree"


class Agreement(NamedTuple):
    """Three measures of one agreement."""

    agreement: Estimate
    kappa: Estimate
    alpha: Estimate


def agreement_of(one: Labels, other: Labels, sampling: Sampling) -> Agreement:
    """How far two annotators agree on the comparisons that both judged."""
    common = sorted(one.keys() & other.keys())
    same = ((item.prompt_id, float(one[item] == other[item])) for item in common)
    return Agreement(
        agreement=share(same, sampling, NO_OVERLAP),
        kappa=_kappa(common, one, other, sampling),
        alpha=alpha_of([one, other], sampling),
    )


def _kappa(common: Sequence[Item], one: Labels, other: Labels, sampling: Sampling) -> Estimate:
    if not common:
        return not_measurable(NO_OVERLAP)
    cells = np.eye(NUM_LABELS**2)
    tables = sums_by_prompt(
        [(item.prompt_id, cells[NUM_LABELS * one[item] + other[item]]) for item in common]
    )

    def statistic(drawn: NDArray[np.int64]) -> float:
        return cohens_kappa(tables[drawn].sum(axis=0).reshape(NUM_LABELS, NUM_LABELS))

    return estimated(statistic, len(tables), len(common), sampling, ONE_LABEL)


def cohens_kappa(table: Floats) -> float:
    """Agreement beyond chance, of a table of how often label i met label j; NaN if chance is 1.

    Source: Cohen, Educational and Psychological Measurement 20 (1960).
    """
    total = table.sum()
    by_chance = float(table.sum(axis=0) @ table.sum(axis=1)) / total**2
    return (
        math.nan
        if by_chance >= 1
        else (float(np.trace(table)) / total - by_chance) / (1 - by_chance)
    )


def alpha_of(annotators: Sequence[Labels], sampling: Sampling) -> Estimate:
    """Krippendorff's alpha for nominal labels, over all that two or more annotators judged."""
    counts: dict[Item, Floats] = {}
    for labels in annotators:
        for item, label in labels.items():
            counts.setdefault(item, np.zeros(NUM_LABELS))[label] += 1
    shared = {item: row for item, row in sorted(counts.items()) if row.sum() > 1}
    if not shared:
        return not_measurable(NO_OVERLAP)
    places = places_of(item.prompt_id for item in shared)
    units: list[list[Floats]] = [[] for _ in places]
    for item, row in shared.items():
        units[places[item.prompt_id]].append(row)
    stacked = [np.array(rows) for rows in units]

    def statistic(drawn: NDArray[np.int64]) -> float:
        return nominal_alpha(np.concatenate([stacked[place] for place in drawn]))

    return estimated(statistic, len(places), len(shared), sampling, ONE_LABEL)


def nominal_alpha(counts: Floats) -> float:
    """Alpha of how often each unit got each label, shape (units, labels); NaN for one label."""
    if np.count_nonzero(counts.sum(axis=0)) < 2:
        return math.nan
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))
