"""West-of-N: a reward model labels the best against the worst of N responses, and another learns.

Source: arXiv:2401.12086.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from scipy.special import expit

from tasks.estimators.reward_model import WestOfN
from tasks.judging import candidates_of
from tasks.near_duplicates import standing
from tasks.pair_filters.certainty_quantile import room_of
from tasks.pair_rules.best_vs_worst_score import BestVsWorstScore
from tasks.records import Place, Prompt, Response, Verdict
from tasks.responses import by_id
from tasks.reward_rows import Taught, taught

Range = tuple[Mapping[str, Prompt], list[Response], list[Verdict]]


def own_ones(pairs: Iterable[Taught]) -> Iterator[Taught]:
    """What people and judges preferred, as the part of the mixture that nobody made up."""
    return (replace(one, own=True) for one in pairs)


def labelled(
    ranges: Iterable[Range], scores: Mapping[str, float], settings: WestOfN, place: Place
) -> list[Taught]:
    """One pair of each prompt by `scores` (by response id), of which the surest share stays.

    Each counts as certain. Prompts whose responses tie, or of which fewer than two have a score,
    make none.
    """
    found = [
        pair
        for prompts, responses, _ in ranges
        for pair in _best_vs_worst(prompts, responses, scores, settings, place)
    ]
    surest = sorted(found, key=lambda one: (-one.p_chosen, one.pair_id))
    kept = surest[: room_of(settings.keep, len(surest))]
    return [replace(one, p_chosen=1.0, labelled=True) for one in kept]


def _best_vs_worst(
    prompts: Mapping[str, Prompt],
    responses: list[Response],
    scores: Mapping[str, float],
    settings: WestOfN,
    place: Place,
) -> Iterator[Taught]:
    rule, answers = BestVsWorstScore(rejected_pick=settings.rejected_pick), by_id(responses)
    candidates = candidates_of(responses, place.strengths, place.min_distance)
    for prompt_id, members in sorted(candidates.items()):
        ids = [one.response_id for one in standing(members)]
        if ends := rule.ends({name: scores[name] for name in ids if name in scores}):
            best, worst = ends
            certainty = float(expit(scores[best] - scores[worst]))
            yield taught(prompts[prompt_id], answers[best], answers[worst], certainty)
