"""From answers to verdicts and written responses: the one path, whatever the front end."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from tasks.annotation_items import Answer, Item, check_answer, latest
from tasks.canonical import canonical_json
from tasks.opinions import Annotator, Opinion, Question, verdict_of
from tasks.records import Verdict
from tasks.sources import Row

FIRST, SECOND = "first", "second"


class Counted(NamedTuple):
    """The answers that count, and what the others were."""

    answers: dict[tuple[str, str], Answer]
    """By item and annotator."""
    counts: dict[str, int]
    """Answers to items of another batch, and answers that a later one replaced."""


def counted(answers: Iterable[Answer], items: Mapping[str, Item]) -> Counted:
    """The last answer of everybody to every item; DataError for one that cannot be.

    An answer to an item that is not in the batch (it was chosen anew) is counted and left out.
    """
    given = list(answers)
    known = [one for one in given if one.item_id in items]
    for one in known:
        check_answer(one, items[one.item_id])
    kept = latest(known)
    return Counted(
        kept,
        {
            "answers": len(kept),
            "answers_to_other_items": len(given) - len(known),
            "answers_replaced": len(known) - len(kept),
        },
    )


def verdicts_of(answers: Iterable[Answer], items: Mapping[str, Item]) -> list[Verdict]:
    """One verdict for each answer; those on known answers judge the annotator, not the pair."""
    return [
        _verdict(one, items[one.item_id]) for one in answers if items[one.item_id].known is None
    ]


def _verdict(answer: Answer, item: Item) -> Verdict:
    ids = (item.a_id, item.b_id)
    first = ids if answer.first_shown != "b" else ids[::-1]
    question = Question(
        prompt_id=item.prompt_id, first_id=first[0], second_id=first[1], replicate=item.repeat
    )
    shown = {"a": FIRST, "b": SECOND} if first == ids else {"a": SECOND, "b": FIRST}
    opinion = Opinion(
        outcome=shown.get(answer.outcome, answer.outcome),
        strength=answer.strength,
        reply=_reply(answer),
    )
    said = verdict_of(opinion, question, Annotator(name=answer.annotator, kind="human"))
    return replace(
        said,
        first_shown=answer.first_shown,
        session=answer.session,
        duration_seconds=answer.duration_seconds,
    )


def _reply(answer: Answer) -> str | None:
    """What the person gave besides the outcome, as a verdict keeps it."""
    said: dict[str, Any] = {"tags": answer.tags, "comment": answer.comment}
    kept = {name: value for name, value in said.items() if value}
    return canonical_json(kept) if kept else None


def ideal_rows(answers: Iterable[Answer], items: Mapping[str, Item]) -> list[Row]:
    """The responses that people wrote, as rows of a file of responses.

    Who writes one prefers it to the two that he was shown. A text that one person gives for several
    items of a prompt is one response.
    """
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for one in answers:
        item = items[one.item_id]
        if one.ideal is None or item.known is not None:
            continue
        fresh = {
            "prompt_id": item.prompt_id,
            "annotator": one.annotator,
            "response": one.ideal,
            "better_than": [],
        }
        written = found.setdefault((item.prompt_id, one.annotator, one.ideal), fresh)
        written["better_than"] += [item.a_id, item.b_id]
    return [Row(f"an ideal response of {one['annotator']!r}", one) for one in found.values()]
