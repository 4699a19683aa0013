"""Which questions a judge is asked about a set of responses, and what its opinions become."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tasks.candidates import Candidate, candidate_of
from tasks.canonical import digest
from tasks.near_duplicates import represented, standing
from tasks.opinions import Annotator, Question, verdict_of
from tasks.records import Prompt, Response, Verdict
from tasks.responses import by_id
from tasks.seeds import seed_of
from tasks.tables import grouped


class Asked(NamedTuple):
    """One question with what it is about."""

    question: Question
    prompt: Prompt
    first: Response
    second: Response


def candidates_of(
    responses: Iterable[Response],
    strengths: Mapping[str, float],
    min_distance: float | None = None,
) -> dict[str, list[Candidate]]:
    """The responses of each prompt as candidates with their cells' strengths.

    `min_distance` marks those whose text is nearly that of another (`NearDuplicateSettings`).
    """
    rows = list(responses)
    found = grouped(candidate_of(row, strengths.get(row.cell, 0.0)) for row in rows)
    return represented(found, by_id(rows), min_distance)


def comparisons_of(
    candidates: Mapping[str, Sequence[Candidate]], rule: Any, seed: int
) -> dict[str, list[tuple[str, str]]]:
    """The comparisons that `rule`, which needs no verdicts, makes of each prompt's candidates.

    Those that another one stands in for take no part.
    """
    return {
        prompt_id: rule(standing(members), seed_of(seed, "comparisons", prompt_id))
        for prompt_id, members in sorted(candidates.items())
    }


def compared_in(verdicts: Iterable[Verdict]) -> dict[str, list[tuple[str, str]]]:
    """The comparisons of two responses that `verdicts` are about, by prompt."""
    found: dict[str, set[tuple[str, str]]] = {}
    for one in verdicts:
        if one.b_id and one.a_id != one.b_id:
            found.setdefault(one.prompt_id, set()).add((one.a_id, one.b_id))
    return {prompt_id: sorted(ids) for prompt_id, ids in sorted(found.items())}


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
