"""What people write: their responses, and that they prefer them to others."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from tasks.canonical import short_id
from tasks.conversations import asked_key
from tasks.errors import DataError
from tasks.opinions import Annotator, Opinion, Question, verdict_of
from tasks.recorded_verdicts import Answered
from tasks.records import Response, Verdict
from tasks.sources import Row
from tasks.tables import grouped

WRITTEN_CELL = "people"
"""Cell name of responses that annotators write."""
FIELDS = {
    *("prompt_id", "source_id", "source", "messages", "prompt"),
    *("response", "annotator", "better_than"),
}


class Written(NamedTuple):
    """What response files hold for this round."""

    responses: list[Response]
    verdicts: list[Verdict]
    skipped: dict[str, int]


def check_written(row: Row) -> None:
    """Raise DataError that names column and value if `row` can be no written response."""
    row.check_fields(FIELDS)
    asked_key(row), row.text("annotator"), row.text("response")


def written_responses(rows: Iterable[Row], answered: Answered) -> Written:
    """Responses that people wrote for this round's prompts.

    Who writes a response prefers it to the ones named in `better_than`, or to all responses of
    its prompt if none are named.
    """
    by_prompt = grouped(answered.responses.values())
    written: dict[str, Response] = {}
    verdicts: list[Verdict] = []
    others = 0
    for row in rows:
        row.check_fields(FIELDS)
        prompt = answered.prompt_of(row)
        if prompt is None:
            others += 1
            continue
        response = _written(row, prompt, len(written))
        if response.response_id in written:
            raise DataError(f"{row.where}: {row.text('annotator')!r} wrote this before; keep one")
        worse = row.fields.get("better_than")
        if worse is None:
            worse = [one.response_id for one in by_prompt.get(prompt, [])]
        written[response.response_id] = response
        verdicts += _preferred(row, response, worse, answered)
    return Written(list(written.values()), verdicts, {"responses_not_of_this_round": others})


def _written(row: Row, prompt: str, index: int) -> Response:
    text = row.text("response")
    if not text.strip():
        raise DataError(f"{row.at('response')}: response is {text!r:.80}, needs a text")
    generator = f"human:{row.text('annotator')}"
    return Response(
        response_id=short_id(prompt, generator, 0, text),
        prompt_id=prompt,
        text=text,
        origin="human",
        cell=WRITTEN_CELL,
        generator=generator,
        sample_index=index,
        seed=None,
        finish_reason="stop",
        token_ids=None,
        tokenizer=None,
        template=None,
    )


def _preferred(
    row: Row, response: Response, worse: Sequence[str], answered: Answered
) -> list[Verdict]:
    writer = Annotator(name=row.text("annotator"), kind="human")
    verdicts = []
    for other in dict.fromkeys(worse):
        rival = answered.responses.get(other)
        if rival is None or rival.prompt_id != response.prompt_id:
            raise DataError(
                f"{row.at('better_than')}: better_than names {other!r}, no response to this prompt"
            )
        if rival.text.strip() == response.text.strip():
            continue
        question = Question(
            prompt_id=response.prompt_id, first_id=response.response_id, second_id=other
        )
        preferred = verdict_of(Opinion(outcome="first"), question, writer)
        verdicts.append(replace(preferred, first_shown="unknown"))
    return verdicts
