"""Known answers that a user gives: comparisons with their texts and the right outcome."""

from collections.abc import Iterable
from typing import NamedTuple

from tasks.canonical import short_id
from tasks.conversations import messages_of
from tasks.errors import DataError
from tasks.prompts import prompt_id
from tasks.queue.items import Gold
from tasks.queue.settings import KNOWN
from tasks.records import Prompt, Response
from tasks.sources import Row, text_of

FIELDS = {"messages", "prompt", "a", "b", "outcome", "source", "source_id"}
OUTCOMES = ("a", "b", "tie")


class Texts(NamedTuple):
    """Known answers with the texts that they are about."""

    gold: list[Gold]
    prompts: dict[str, Prompt]
    """By prompt_id."""
    responses: dict[str, Response]
    """By response_id."""


def check_known(row: Row) -> None:
    """Raise DataError that names column and value if `row` can be no known answer."""
    row.check_fields(FIELDS)
    messages_of(row), row.one_of("outcome", OUTCOMES)
    if row.text("a").strip() == row.text("b").strip():
        raise DataError(f"{row.where}: a and b are the same text; nobody can tell them apart")


def known_answers(rows: Iterable[Row]) -> Texts:
    """The known answers of `rows`; DataError for a bad row, and for two that contradict."""
    found = Texts([], {}, {})
    outcomes: dict[tuple[str, str], str] = {}
    for row in rows:
        check_known(row)
        prompt = _prompt(row)
        sides = {side: _response(prompt, row.text(side)) for side in "ab"}
        gold = _gold(row, prompt, sides)
        if outcomes.setdefault(gold.ids, gold.outcome) != gold.outcome:
            raise DataError(f"{row.where}: the same comparison has another outcome above; keep one")
        found.prompts[prompt.prompt_id] = prompt
        found.responses.update({one.response_id: one for one in sides.values()})
        found.gold.append(gold)
    return found._replace(gold=list(dict.fromkeys(found.gold)))


def _prompt(row: Row) -> Prompt:
    messages = messages_of(row)
    identity = prompt_id(messages)
    return Prompt(
        prompt_id=identity,
        messages=messages,
        source=_text(row, "source"),
        source_id=_text(row, "source_id"),
        split="train",
        group_id=identity,
        tags=[],
        checks=[],
    )


def _text(row: Row, name: str) -> str:
    value = row.fields.get(name)
    return "" if value is None else text_of(value)


def _response(prompt: Prompt, text: str) -> Response:
    """A text that nobody is asked to learn from: people see it, no pair does."""
    return Response(
        response_id=short_id(prompt.prompt_id, KNOWN, 0, text),
        prompt_id=prompt.prompt_id,
        text=text,
        origin="recorded",
        cell=KNOWN,
        generator=KNOWN,
        sample_index=0,
        seed=None,
        finish_reason="unknown",
        token_ids=None,
        tokenizer=None,
        template=None,
    )


def _gold(row: Row, prompt: Prompt, sides: dict[str, Response]) -> Gold:
    """With the smaller id first, whatever the row calls a."""
    outcome = row.one_of("outcome", OUTCOMES)
    a_id, b_id = (sides[side].response_id for side in "ab")
    if a_id > b_id:
        a_id, b_id = b_id, a_id
        outcome = {"a": "b", "b": "a"}.get(outcome, outcome)
    return Gold(prompt.prompt_id, (a_id, b_id), outcome, f"{prompt.source} · {KNOWN}".lstrip(" ·"))
