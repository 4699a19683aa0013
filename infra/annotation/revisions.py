"""Answers that come in again and again, as files and servers send them: which of them are new."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tasks.annotation_items import Answer


def new_answers(found: Iterable[Answer], known: Iterable[Answer], among: str = "") -> list[Answer]:
    """Those of `found` that say something else than their people said before, numbered after it.

    What was said last through another front end than `among` stays, if one is named: what comes
    again and again must not undo it.
    """
    return list(_new(found, _last(known), among))


def _last(known: Iterable[Answer]) -> dict[tuple[str, str], Answer]:
    said: dict[tuple[str, str], Answer] = {}
    for one in known:
        key = (one.item_id, one.annotator)
        if key not in said or said[key].revision < one.revision:
            said[key] = one
    return said


def _new(
    found: Iterable[Answer], said: dict[tuple[str, str], Answer], among: str
) -> Iterator[Answer]:
    for answer in found:
        before = said.get((answer.item_id, answer.annotator))
        if before is None:
            yield answer
        elif among in ("", before.front_end) and not _says_the_same(before, answer):
            yield replace(answer, revision=before.revision + 1)


def _says_the_same(one: Answer, other: Answer) -> bool:
    return _said(one) == _said(other)


def _said(answer: Answer) -> tuple[object, ...]:
    """What an answer says, without when, where and how fast."""
    decided = (answer.outcome, answer.strength, tuple(answer.tags))
    return (*decided, answer.comment, answer.ideal, answer.ideal_from)
