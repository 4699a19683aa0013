"""From what an estimator thinks of responses to verdicts, as any other judge gives them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tasks.candidates import Candidate, different_texts
from tasks.estimates import ESTIMATOR, PASS
from tasks.estimators._contract import SCALE, Compares, Estimated, Estimates
from tasks.near_duplicates import standing
from tasks.opinions import Annotator, Opinion, Question, questions, score_verdicts, verdict_of
from tasks.pairs import PromptPreferences
from tasks.records import Preference, Verdict
from tasks.seeds import uniform_of

Comparison = tuple[str, str]


def annotator_of(version: str) -> Annotator:
    """The estimator as the annotator of its verdicts."""
    return Annotator(name=ESTIMATOR, kind="judge", version=version)


def estimate_verdicts(
    estimated: Estimated,
    candidates: Sequence[Candidate],
    compares: Collection[Comparison],
    annotator: Annotator,
) -> list[Verdict]:
    """Scores, scores of passes, and an opinion on each of `compares` in both orders.

    A response without a score has a verdict that is unparsed.
    """
    found: list[Verdict] = []
    for one in sorted(candidates, key=lambda one: one.response_id):
        name = one.response_id
        asked = Question(prompt_id=one.prompt_id, first_id=name, second_id="")
        score = estimated.scores.get(name)
        said = Opinion(outcome="unparsed" if score is None else "scored", score=score)
        found += score_verdicts(said, asked, annotator, SCALE.name)
        for turn, each in enumerate(estimated.passes.get(name, ())):
            passed = replace(asked, criterion=PASS, replicate=turn)
            found += score_verdicts(
                Opinion(outcome="scored", score=each), passed, annotator, SCALE.name
            )
    prompt_id = candidates[0].prompt_id if candidates else ""
    for ids in sorted(compares):
        if estimated.scores.keys() >= set(ids):
            found += [
                verdict_of(_opinion(estimated, question), question, annotator)
                for question in questions(prompt_id, ids, both_orders=True, seed=0)
            ]
    return found


def _opinion(estimated: Estimated, question: Question) -> Opinion:
    scores = estimated.scores
    return SCALE.opinion(scores[question.first_id], scores[question.second_id])


def compared_by(
    estimator: Estimates, prompt: PromptPreferences, compared: Collection[Comparison]
) -> set[Comparison]:
    """The comparisons it speaks of; near-duplicates and equal texts are nobody's."""
    which: Compares = estimator.compares
    if which == "none":
        return set()
    there = standing(list(prompt.candidates.values()))
    all_ = {(a.response_id, b.response_id) for a, b in different_texts(there)}
    return all_ if which == "all" else all_ & set(compared)


def estimated_of(prompt: PromptPreferences, numbers: Mapping[str, Mapping[str, Any]]) -> Estimated:
    """What a model says of the responses to a prompt: `number` and `passes` by response id."""
    known = {name: numbers[name] for name in sorted(prompt.candidates) if name in numbers}
    return Estimated(
        {name: one["number"] for name, one in known.items()},
        {name: list(one.get("passes", ())) for name, one in known.items()},
    )


def is_held_out(preference: Preference, share: float, seed: int) -> bool:
    """Whether a preference only measures the accuracy of a fit to the others."""
    ids = (preference.a_id, preference.b_id)
    return uniform_of(seed, "held_out_estimate", preference.prompt_id, *ids) < share


def measured(
    estimator: Any, prompts: Mapping[str, PromptPreferences], seed: int
) -> Iterator[float]:
    """Score of chosen less that of rejected for each held-out preference of `prompts`.

    The scores are those of a fit to the other preferences of the prompt.
    """
    for _, prompt in sorted(prompts.items()):
        kept = prompt.kept()
        out = [one for one in kept if is_held_out(one, estimator.held_out_share, seed)]
        if not out:
            continue
        known = [one for one in kept if one not in out]
        ids = prompt.standing_ids()
        fitted = estimator.fit(ids, known)
        values = dict(zip(ids, fitted.values.tolist(), strict=True))
        for one in out:
            gap = values[one.b_id] - values[one.a_id]
            yield gap if one.outcome == "b" else -gap


def correct_share(gaps: Sequence[float]) -> float | None:
    """Share of gaps above 0, a tie being half; None of none."""
    if not gaps:
        return None
    return sum((gap > 0) + 0.5 * (gap == 0) for gap in gaps) / len(gaps)
