"""Which questions a judge is asked about a set of responses, and what its opinions become."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tasks.candidates import Candidate, candidate_of
from tasks.opinions import (
    Annotator,
    Opinion,
    Question,
    questions,
    score_verdicts,
    verdict_of,
)
from tasks.records import Prompt, Response, Verdict
from tasks.responses import shards_of
from tasks.seeds import seed_of
from tasks.tables import grouped


class Asked(NamedTuple):
    """One question with what it is about."""

    question: Question
    prompt: Prompt
    first: Response
    second: Response


def candidates_of(
    responses: Iterable[Response], strengths: Mapping[str, float]
) -> dict[str, list[Candidate]]:
    """The responses of each prompt as candidates with their cells' strengths."""
    found = (candidate_of(row, strengths.get(row.cell, 0.0)) for row in responses)
    return grouped(found)


def comparisons_of(
    candidates: Mapping[str, Sequence[Candidate]], rule: Any, seed: int
) -> dict[str, list[tuple[str, str]]]:
    """The comparisons that `rule` makes of each prompt's candidates."""
    return {
        prompt_id: rule(members, seed_of(seed, "comparisons", prompt_id))
        for prompt_id, members in sorted(candidates.items())
    }


def asked_in_shards(
    prompts: Sequence[Prompt],
    responses: Mapping[str, Response],
    comparisons: Mapping[str, Sequence[tuple[str, str]]],
    judge: Any,
    seed: int,
) -> list[list[Asked]]:
    """All questions to `judge`, prompt by prompt in the order of ids, cut into shards."""
    return [
        [
            Asked(question, prompt, responses[question.first_id], responses[question.second_id])
            for prompt in shard
            for ids in comparisons.get(prompt.prompt_id, ())
            for question in questions(prompt.prompt_id, ids, judge.both_orders, seed)
        ]
        for shard in shards_of(prompts)
    ]


def gives_scores(judge: Any) -> bool:
    """Whether `judge` scores one response at a time: it says on which scale."""
    return hasattr(judge, "scale")


def work_of(asked: Sequence[Asked], judge: Any) -> list[Asked]:
    """What `judge` has to look at to answer `asked`: the comparisons, or each response once."""
    if not gives_scores(judge):
        return list(asked)
    found = {}
    for one in asked:
        for response in (one.first, one.second):
            question = Question(
                prompt_id=one.prompt.prompt_id,
                first_id=response.response_id,
                second_id="",
                criterion=one.question.criterion,
                replicate=one.question.replicate,
            )
            found[question] = Asked(question, one.prompt, response, response)
    return [found[question] for question in sorted(found, key=lambda one: one.first_id)]


def verdicts_of(
    asked: Sequence[Asked], opinions: Sequence[Opinion], judge: Any, annotator: Annotator
) -> list[list[Verdict]]:
    """For each item of `work_of(asked, judge)`, in order, the verdicts that its opinion makes.

    Where the judge gives scores, the comparisons that follow from them come last, as one more list.
    """
    work = work_of(asked, judge)
    if not gives_scores(judge):
        return [
            [verdict_of(opinion, one.question, annotator)]
            for one, opinion in zip(work, opinions, strict=True)
        ]
    scale = judge.scale
    scores = {one.first.response_id: said.score for one, said in zip(work, opinions, strict=True)}
    compared = [
        verdict_of(
            scale.opinion(scores[one.first.response_id], scores[one.second.response_id]),
            one.question,
            annotator,
        )
        for one in asked
    ]
    scored = [
        score_verdicts(opinion, one.question, annotator, scale.name)
        for one, opinion in zip(work, opinions, strict=True)
    ]
    return [*scored, compared]


def verdicts_of_pure(asked: Sequence[Asked], judge: Any, annotator: Annotator) -> list[Verdict]:
    """The verdicts of a judge that needs nobody else."""
    work = work_of(asked, judge)
    if gives_scores(judge):
        batch = [(one.prompt, one.first) for one in work]
        opinions = [scored(score) for score in judge.scores(batch)]
    else:
        opinions = [
            judge.compare(one.prompt, one.first, one.second, one.question.id) for one in work
        ]
    return [one for some in verdicts_of(asked, opinions, judge, annotator) for one in some]


def scored(score: float | None) -> Opinion:
    """A score as an opinion; None is none."""
    return Opinion(outcome="unparsed" if score is None else "scored", score=score)
