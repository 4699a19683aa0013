"""What the page is told of an item, and what it tells of an answer.

The page knows two sides, left and right, and nothing of ids, cells or reasons: whoever compares
must not know who wrote what, nor why it is asked.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from infra.annotation.page.access import Pass
from infra.annotation.page.rendering import rendered
from infra.annotation.texts import Texts
from tasks.annotation_items import LONGEST_TEXT, Answer, Item

Choice = Literal["left_much", "left", "tie", "right", "right_much", "both_bad", "skip", "withdrawn"]
Side = Literal["left", "right"]
LONGEST_COMMENT = 4_000
LONGEST_AGE = 30 * 86400.0
"""Seconds that an answer may have waited in a browser."""
MUCH, BETTER = 1.0, 0.5


class AnswerIn(BaseModel):
    """An answer as the page sends it."""

    model_config = ConfigDict(extra="forbid")

    item_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    revision: Annotated[int, Field(ge=0, le=1000)]
    choice: Choice
    tags: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=20)]
    comment: Annotated[str, Field(max_length=LONGEST_COMMENT)]
    ideal: Annotated[str | None, Field(max_length=LONGEST_TEXT)]
    ideal_from: Side | None
    seconds: Annotated[float, Field(ge=0, le=86400, allow_inf_nan=False)]
    """Time that somebody looked at the item."""
    age: Annotated[float, Field(ge=0, le=LONGEST_AGE, allow_inf_nan=False)]
    """Seconds since it was given: the clock of the browser may be wrong."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sides:
    """Which response stands where, for one person."""

    left_id: str
    right_id: str
    first_shown: str
    """Of the two, which is left: a or b."""


def sides_of(item: Item, annotator: str) -> Sides:
    """As the item says; where several people are wanted, half of them see it the other way."""
    first = item.first_shown
    if item.annotators > 1 and _is_flipped(item, annotator):
        first = "b" if first == "a" else "a"
    ids = (item.a_id, item.b_id) if first == "a" else (item.b_id, item.a_id)
    return Sides(left_id=ids[0], right_id=ids[1], first_shown=first)


def _is_flipped(item: Item, annotator: str) -> bool:
    return hashlib.sha256(f"{item.item_id} {annotator}".encode()).digest()[0] % 2 == 1


def shown(texts: Texts, annotator: str, said: Mapping[int, Answer]) -> dict[str, Any]:
    """What the page shows of an item, and what this person had said of it before."""
    item = texts.item
    first = sides_of(item, annotator).first_shown
    left, right = (texts.a, texts.b) if first == "a" else (texts.b, texts.a)
    return {
        "item_id": item.item_id,
        "revision": max(said, default=-1) + 1,
        "messages": [
            {"role": one["role"], "html": rendered(one["content"])} for one in texts.messages
        ],
        "left": {"text": left, "html": rendered(left)},
        "right": {"text": right, "html": rendered(right)},
        "before": before(item, annotator, said),
    }


def before(item: Item, annotator: str, said: Mapping[int, Answer]) -> dict[str, Any] | None:
    """The last that a person said of an item before taking it back, in the page's words."""
    kept = [one for _, one in sorted(said.items()) if one.outcome != "withdrawn"]
    if not kept:
        return None
    last, sides = kept[-1], sides_of(item, annotator)
    return {
        "choice": choice_of(last),
        "tags": last.tags,
        "comment": last.comment,
        "ideal": last.ideal,
        "ideal_from": {sides.left_id: "left", sides.right_id: "right"}.get(last.ideal_from or ""),
    }


def choice_of(answer: Answer) -> str:
    """An answer's outcome and strength as one of the page's buttons."""
    if answer.outcome not in ("a", "b"):
        return answer.outcome
    side = "left" if answer.outcome == answer.first_shown else "right"
    return f"{side}_much" if answer.strength == MUCH else side


def answer_of(given: AnswerIn, item: Item, who: Pass, now: datetime) -> Answer:
    """The answer as a record."""
    sides = sides_of(item, who.annotator)
    outcome, strength = _decided(given.choice, sides)
    from_id = {"left": sides.left_id, "right": sides.right_id}.get(given.ideal_from or "")
    return Answer(
        item_id=item.item_id,
        annotator=who.annotator,
        outcome=outcome,
        strength=strength,
        tags=list(given.tags),
        comment=given.comment.strip(),
        ideal=given.ideal,
        ideal_from=from_id,
        revision=given.revision,
        first_shown=sides.first_shown,
        front_end="page",
        session=who.session,
        answered_at=(now.astimezone(UTC) - timedelta(seconds=given.age)).isoformat(
            timespec="milliseconds"
        ),
        duration_seconds=round(given.seconds, 3),
    )


def _decided(choice: Choice, sides: Sides) -> tuple[str, float | None]:
    side, _, much = choice.partition("_")
    if side not in ("left", "right"):
        return choice, None
    other = "b" if sides.first_shown == "a" else "a"
    return sides.first_shown if side == "left" else other, MUCH if much else BETTER


def is_equal(one: Answer, other: Answer) -> bool:
    """Whether two answers say the same, whenever they were given."""
    names = ("outcome", "strength", "tags", "comment", "ideal", "ideal_from")
    return all(getattr(one, name) == getattr(other, name) for name in names)
