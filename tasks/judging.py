"""Which questions a judge is asked about a set of responses, and what its opinions become."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tasks.candidates import Candidate, candidate_of
from tasks.canonical import digest
from tasks.opinions import Annotator, Question, questions, verdict_of
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


def call_id(one: Asked, judge: Any, annotator: str) -> str:
    """Names the call in the journal; judges of different names have opinions of their own."""
    question = one.question
    ids = [question.first_id, question.second_id, question.criterion, question.replicate]
    return digest([annotator, judge.version(), one.prompt.prompt_id, *ids])


def verdicts_of_pure(asked: Iterable[Asked], judge: Any, annotator: Annotator) -> list[Verdict]:
    """The verdicts of a judge that needs nobody else."""
    return [
        verdict_of(
            judge.compare(one.prompt, one.first, one.second, one.question.id),
            one.question,
            annotator,
        )
        for one in asked
    ]
