"""What a person is asked and what a person answers: the records of an annotation batch."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from tasks.canonical import canonical_json, short_id
from tasks.errors import DataError
from tasks.records import Volatile
from tasks.tables import KEYS

OUTCOMES = ("a", "b", "tie", "both_bad", "skip", "withdrawn")
"""What an answer may say; `withdrawn` takes an earlier answer back."""
STRENGTHS = (1.0, 0.5)
"""Much better, better."""
LONGEST_TEXT = 200_000
"""Characters of an ideal response or a comment."""
TAGS = (
    *("correct", "complete", "follows_instructions", "clear"),
    *("concise", "style", "safe", "honest"),
)
"""Reasons that front ends offer for an answer; a team may use others."""
MOST_TAGS = 50
FRONT_ENDS = ("page", "label_studio", "file", "simulated")


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One comparison that people are to make. Key: item_id; a_id < b_id."""

    item_id: str
    """The first 16 hex digits of sha256(prompt_id, a_id, b_id, repeat), see `item_id_of`."""
    prompt_id: str
    """The prompt both responses answer."""
    a_id: str
    """The response with the smaller id."""
    b_id: str
    """The response with the larger id."""
    repeat: int
    """0 where the comparison is asked for itself, 1 and more where it was asked before."""
    first_shown: str
    """Which response is shown first (left): a or b, drawn by the seed."""
    reason: str
    """Why it is worth a person's minute: random, repeat, judges_disagree, low_margin, ..."""
    stratum: str
    """Source of the prompt and cells of the responses, as the random share is spread over them."""
    chance: float
    """Probability that it is an item at all, above 0 and up to 1; 1 where a reason chose it."""
    known: str | None
    """The outcome that is known already: a, b or tie. Never shown."""
    annotators: int
    """How many people are wanted."""
    position: int
    """0-based place in the queue."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What one person says of one item. Key: (item_id, annotator, revision)."""

    item_id: str
    """The item that is answered."""
    annotator: str
    """Name of the person."""
    outcome: str
    """a, b, tie, both_bad, skip or withdrawn."""
    strength: float | None
    """1.0 much better, 0.5 better; None where it was not said or no side is better."""
    tags: list[str]
    """Reasons that the person gave, in the order given."""
    comment: str
    """What the person wrote about it, or empty."""
    ideal: str | None
    """The ideal response, if the person wrote one."""
    ideal_from: str | None
    """The response that it was edited from; None where it was written from nothing."""
    revision: int
    """0-based; of the answers of one person on one item, the highest counts."""
    first_shown: str
    """Which response was really shown first: a, b or unknown."""
    front_end: str
    """page, label_studio, file or simulated."""
    session: Annotated[str | None, Volatile]
    """Annotation session."""
    answered_at: Annotated[str | None, Volatile]
    """UTC, ISO 8601."""
    duration_seconds: Annotated[float | None, Volatile]
    """Time from showing the item to the answer."""


KEYS[Item] = ("item_id",)
KEYS[Answer] = ("item_id", "annotator", "revision")


def item_id_of(prompt_id: str, a_id: str, b_id: str, repeat: int = 0) -> str:
    """The id of the item that asks for this comparison for the `repeat`-th time."""
    return short_id("item", prompt_id, *sorted((a_id, b_id)), repeat)


def check_answer(answer: Answer, item: Item | None = None) -> None:
    """Raise DataError that says what of `answer` cannot be, alone or as an answer to `item`."""
    if problem := _problem(answer, item):
        raise DataError(f"answer of {answer.annotator!r} to item {answer.item_id}: {problem}")


def _problem(answer: Answer, item: Item | None) -> str:
    problems = _of_outcome(answer) | _of_texts(answer)
    if item is not None:
        ids = (item.a_id, item.b_id)
        problems |= {
            f"it answers item {item.item_id}": answer.item_id != item.item_id,
            f"ideal_from is {answer.ideal_from!r}; the item shows {ids[0]} and {ids[1]}": (
                answer.ideal_from not in (None, *ids)
            ),
        }
    return next((message for message, holds in problems.items() if holds), "")


def _of_outcome(answer: Answer) -> dict[str, bool]:
    """What may be wrong with who said what, and whether it is."""
    seconds = answer.duration_seconds
    return {
        f"outcome is {answer.outcome!r}; allowed: {', '.join(OUTCOMES)}": (
            answer.outcome not in OUTCOMES
        ),
        "annotator is empty; an answer says whose it is": not answer.annotator.strip(),
        f"strength is {answer.strength}; allowed: 1.0 (much better), 0.5 (better) or none": (
            answer.strength not in (None, *STRENGTHS)
        ),
        f"strength is {answer.strength}, but the outcome {answer.outcome} prefers no side": (
            answer.strength is not None and answer.outcome not in ("a", "b")
        ),
        f"revision is {answer.revision}, needs 0 or more": answer.revision < 0,
        f"first_shown is {answer.first_shown!r}; allowed: a, b, unknown": (
            answer.first_shown not in ("a", "b", "unknown")
        ),
        f"front_end is {answer.front_end!r}; allowed: {', '.join(FRONT_ENDS)}": (
            answer.front_end not in FRONT_ENDS
        ),
        f"duration_seconds is {seconds}, needs 0 or more": seconds is not None and not seconds >= 0,
    }


def _of_texts(answer: Answer) -> dict[str, bool]:
    """What may be wrong with what was written, and whether it is."""
    return {
        f"it has {len(answer.tags)} tags; at most {MOST_TAGS} are kept": (
            len(answer.tags) > MOST_TAGS
        ),
        f"comment or ideal response is longer than {LONGEST_TEXT} characters": (
            max(len(answer.comment), len(answer.ideal or "")) > LONGEST_TEXT
        ),
        "the ideal response is empty; leave it out": (
            answer.ideal is not None and not answer.ideal.strip()
        ),
        "ideal_from names a response, but there is no ideal response": (
            answer.ideal is None and answer.ideal_from is not None
        ),
    }


def latest(answers: Iterable[Answer]) -> dict[tuple[str, str], Answer]:
    """What each person says of each item now, by (item_id, annotator); withdrawn ones are left out.

    Independent of the order of `answers`, and of how often each is given. Of two that share item,
    annotator and revision, the later one counts.
    """
    found: dict[tuple[str, str], Answer] = {}
    for answer in answers:
        key = (answer.item_id, answer.annotator)
        if key not in found or _rank(found[key]) < _rank(answer):
            found[key] = answer
    return {key: one for key, one in sorted(found.items()) if one.outcome != "withdrawn"}


def _rank(answer: Answer) -> tuple[int, str, str]:
    """What decides between two answers of one person to one item."""
    said = [answer.outcome, answer.strength, answer.tags, answer.comment, answer.ideal]
    return answer.revision, answer.answered_at or "", canonical_json(said)
