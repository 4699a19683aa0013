"""West-of-N: a reward model labels the best against the worst of N responses, and another learns.

Source: arXiv:2401.12086.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from scipy.special import expit

from tasks.estimators.reward_model import WestOfN
from tasks.judging import candidates_of
from tasks.near_duplicates import standing
from tasks.pair_filters.certainty_quantile import room_of
from tasks.pair_rules.best_vs_worst_score import BestVsWorstScore
from tasks.records import Place, Prompt, Response, Verdict
from tasks.responses import by_id
from tasks.reward_rows import Taught, taught

Scores = Mapping[str, float]
"""By response id."""


class Range(NamedTuple):
    """Prompts that are looked at together."""

    prompts: Mapping[str, Prompt]
    """By prompt_id."""
    responses: list[Response]
    verdicts: list[Verdict]


def own_ones(pairs: Iterable[Taught]) -> Iterator[Taught]:
    """What people and judges preferred, as the part of the mixture that nobody made up."""
    return (replace(one, own=True) for one in pairs)


def labelled(
    looked_at: Callable[[], Iterable[tuple[Range, Scores]]], settings: WestOfN, place: Place
) -> Iterator[Taught]:
    """One pair of each prompt by its responses' scores, of which the surest share stays.

    Each counts as certain. Prompts whose responses tie, or of which fewer than two have a score,
    make none. `looked_at` is gone through twice: which pairs stay is known when all were seen, and
    their texts are not held until then.
    """
    found = [
        (-pair.p_chosen, pair.pair_id)
        for some, scores in looked_at()
        for pair in _best_vs_worst(some, scores, settings, place)
    ]
    kept = set(sorted(found)[: room_of(settings.keep, len(found))])
    for some, scores in looked_at():
        for pair in _best_vs_worst(some, scores, settings, place):
            if (-pair.p_chosen, pair.pair_id) in kept:
                yield replace(pair, p_chosen=1.0, labelled=True)


def _best_vs_worst(
    some: Range, scores: Scores, settings: WestOfN, place: Place
) -> Iterator[Taught]:
    rule, answers = BestVsWorstScore(rejected_pick=settings.rejected_pick), by_id(some.responses)
    candidates = candidates_of(some.responses, place.strengths, place.min_distance)
    for prompt_id, members in sorted(candidates.items()):
        ids = [one.response_id for one in standing(members)]
        if ends := rule.ends({name: scores[name] for name in ids if name in scores}):
            best, worst = ends
            certainty = float(expit(scores[best] - scores[worst]))
            yield taught(some.prompts[prompt_id], answers[best], answers[worst], certainty)
