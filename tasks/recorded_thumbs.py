"""Thumbs on single responses that exist already become verdicts, as those on two responses do.

A row with `thumbs` is about one response, by its id or its text: `up`, `down`, or the share of
thumbs up, 0 to 1.
"""

from collections.abc import Iterable
from dataclasses import replace

from tasks.conversations import NAMES, asked_key
from tasks.errors import DataError
from tasks.opinions import Annotator, Opinion, Question, score_verdicts
from tasks.recorded_verdicts import (
    OTHER_PROMPTS,
    SHARED_TEXTS,
    UNKNOWN_RESPONSES,
    Answered,
    Join,
    Texts,
    check_verdict,
    joined,
)
from tasks.records import Response, Verdict
from tasks.sources import Row, is_missing

SCALE = "thumbs"
"""Scale of such a verdict's score: 1 is up, 0 is down."""
THUMBS = {"up": 1.0, "down": 0.0}
FIELDS = {
    *("prompt_id", "source_id", "source", "messages", "prompt"),
    *("response_id", "response", "response_cell", "thumbs"),
    *("annotator", "criterion", "reply"),
}


def is_thumbs(row: Row) -> bool:
    """Whether `row` is about one response alone."""
    return not is_missing(row.fields.get("thumbs"))


def check_said(row: Row, keys: bool = False) -> None:
    """Raise DataError that names column and value if `row` can be no verdict, on two or on one."""
    if not is_thumbs(row):
        check_verdict(_without_thumbs(row), keys)
        return
    row.check_fields(FIELDS)
    if row.fields.get("response_id") is not None:
        row.text("response_id")
    else:
        asked_key(row), row.text("response")
    _score(row)


def said_in(
    rows: Iterable[Row], answered: Answered, annotator: Annotator, texts: Texts | None = None
) -> Join:
    """The verdicts in `rows`, on two responses (`joined`) or on one; errors as `joined`.

    A person may give a response one thumb; a judge that gave several gets replicates.
    """
    listed = list(rows)
    found = joined(
        (_without_thumbs(row) for row in listed if not is_thumbs(row)), answered, annotator, texts
    )
    verdicts, counts = list(found.verdicts), dict(found.counts)
    repeats: dict[tuple[str, str, str], int] = {}
    for row in filter(is_thumbs, listed):
        response = _response(row, answered)
        if isinstance(response, str):
            counts[response] += 1
            continue
        counts[SHARED_TEXTS] += _is_shared(row, response, answered)
        verdict = _verdict(row, response, annotator)
        key = (verdict.a_id, verdict.annotator, verdict.criterion)
        repeats[key] = repeats.get(key, -1) + 1
        verdicts.append(_numbered(row, verdict, repeats[key]))
    return Join(verdicts, counts)


def _without_thumbs(row: Row) -> Row:
    """A row of a table with both kinds, its columns for the other kind left out."""
    only = {"response_id", "response", "response_cell", "thumbs"}
    empty = {name for name in only if is_missing(row.fields.get(name))}
    return row._replace(fields={k: v for k, v in row.fields.items() if k not in empty})


def _response(row: Row, answered: Answered) -> Response | str:
    """The response that got the thumb, or why there is none."""
    row.check_fields(FIELDS)
    if row.fields.get("response_id") is not None:
        found = answered.responses.get(row.text("response_id"))
        named = any(row.fields.get(name) is not None for name in NAMES)
        ours = named and answered.prompt_of(row) is not None
        return found or (UNKNOWN_RESPONSES if ours else OTHER_PROMPTS)
    prompt = answered.prompt_of(row)
    if prompt is None:
        return OTHER_PROMPTS
    same = answered.of_text(prompt, row.text("response"))
    cell = row.fields.get("response_cell")
    return next((one for one in same if one.cell == cell), same[0]) if same else UNKNOWN_RESPONSES


def _is_shared(row: Row, response: Response, answered: Answered) -> bool:
    """Whether other cells wrote the same text, and the row does not say whose it was."""
    if row.fields.get("response_id") is not None or row.fields.get("response_cell") is not None:
        return False
    return len({one.cell for one in answered.of_text(response.prompt_id, response.text)}) > 1


def _verdict(row: Row, response: Response, annotator: Annotator) -> Verdict:
    name = row.fields.get("annotator") or annotator.name
    if not name:
        raise DataError(f"{row.at('annotator')}: annotator is missing; a thumb says whose it is")
    opinion = Opinion(
        outcome="scored",
        score=_score(row),
        reply=None if row.fields.get("reply") is None else row.text("reply"),
    )
    question = Question(
        prompt_id=response.prompt_id,
        first_id=response.response_id,
        second_id="",
        criterion=str(row.fields.get("criterion") or "overall"),
    )
    [verdict] = score_verdicts(opinion, question, replace(annotator, name=str(name)), SCALE)
    return verdict


def _score(row: Row) -> float:
    value = row.fields["thumbs"]
    if isinstance(value, str) and value in THUMBS:
        return THUMBS[value]
    try:
        number = row.number("thumbs", 0, 1)
    except DataError as error:
        raise DataError(
            f"{row.at('thumbs')}: thumbs is {value!r:.80}; allowed: up, down, or the share of "
            "thumbs up, 0 to 1"
        ) from error
    return number or 0.0


def _numbered(row: Row, verdict: Verdict, replicate: int) -> Verdict:
    if replicate and verdict.annotator_kind == "human":
        raise DataError(
            f"{row.where}: {verdict.annotator!r} gave {verdict.a_id} a thumb twice; keep one row, "
            "or map the column `annotator` if they are several people"
        )
    return replace(verdict, replicate=replicate)
