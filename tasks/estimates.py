"""Scores of responses as rules, selections and filters read them: from anybody's verdicts.

An estimator's verdicts have one more criterion: `pass` is its score in one of several passes
(dropout masks, or draws of a posterior), numbered by `replicate`. All responses of a pass see the
same mask or draw, so that differences within a pass mean something.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from scipy.special import expit

from tasks.records import Verdict

ESTIMATOR = "estimator"
"""The annotator whose verdicts an estimator gives."""
PASS = "pass"
"""Criterion of the scores of single passes."""

Scores = Mapping[str, float]
"""By response id."""
Passes = Mapping[str, Sequence[float]]
"""The score in each pass, by response id."""
NO_PASSES: Passes = MappingProxyType({})


def scores_of(
    verdicts: Iterable[Verdict], annotators: Collection[str]
) -> dict[str, dict[str, float]]:
    """The score of each response by annotator: the mean over replicates, aspects left out."""
    found: dict[str, dict[str, list[float]]] = {name: {} for name in annotators}
    for one in verdicts:
        if one.annotator in found and _is_whole(one) and one.score is not None:
            found[one.annotator].setdefault(one.a_id, []).append(one.score)
    return {
        name: {response_id: math.fsum(some) / len(some) for response_id, some in by_id.items()}
        for name, by_id in found.items()
    }


def _is_whole(verdict: Verdict) -> bool:
    return verdict.outcome == "scored" and verdict.criterion == "overall"


def passes_of(verdicts: Iterable[Verdict]) -> dict[str, list[float]]:
    """The estimator's score of each response in each pass, in order; empty without passes."""
    found: dict[str, dict[int, float]] = {}
    for one in verdicts:
        if one.annotator == ESTIMATOR and one.criterion == PASS and one.score is not None:
            found.setdefault(one.a_id, {})[one.replicate] = one.score
    return {name: [some[turn] for turn in sorted(some)] for name, some in found.items()}


def wins_in_passes(first: str, second: str, passes: Passes) -> list[float]:
    """P(`first` beats `second`) in each pass, Bradley-Terry; empty where one of them has none."""
    scores = zip(passes.get(first, ()), passes.get(second, ()), strict=False)
    return [float(expit(one - other)) for one, other in scores]
