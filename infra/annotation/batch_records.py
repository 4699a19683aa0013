"""What stands in the objects of a batch: what is asked, on which terms, how far, how it ended."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.annotation.answer_objects import Segments
from tasks.annotation_items import Answer, Item, latest
from tasks.records import Artifact


@dataclass(frozen=True, kw_only=True)
class Terms:
    """When a batch has answers enough."""

    front_end: str
    """Where people answer: page, label_studio or files."""
    quorum: float = 1.0
    """Share of the wanted answers with which the round goes on."""
    deadline_hours: float | None = None
    """Hours from the making of the batch after which the round no longer waits; None: never."""
    on_deadline: str = "go_on"
    """What the round does then: go_on with what there is, or fail."""
    label_studio: dict[str, str] | None = None
    """Where its server is, and which variable or block holds the token; None for other front ends.
    """


@dataclass(frozen=True, kw_only=True)
class BatchFacts:
    """What `batch.json` says."""

    run: str
    """The run."""
    round_index: int
    """The round, from 0."""
    generation: int
    """How often the round was redone with other items before."""
    items: Artifact
    """The stage whose rows are the items, with their prompts and responses as further tables."""
    wanted: int
    """Answers that are wanted in all."""
    terms: Terms
    """When they are enough."""
    made_at: str
    """UTC, ISO 8601."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a batch is."""

    wanted: int
    """Answers that are wanted: for each item as many as it asks people."""
    given: int
    """Those that are there; more people on an item than it asks count for nothing."""
    items: int
    """Comparisons."""
    items_done: int
    """Those with all their answers."""
    skipped: int
    """Of the answers given, those that skip: they count as given, or nobody could finish."""
    people: dict[str, int]
    """Answers by annotator."""
    deadline: str | None
    """When the round goes on at the latest (UTC, ISO 8601), extensions included."""

    @property
    def share(self) -> float:
        """Of the wanted answers, those that are there, 0 to 1."""
        return self.given / self.wanted if self.wanted else 1.0


@dataclass(frozen=True, kw_only=True)
class Closed:
    """What `closed.json` says: from then on it is fixed what counts."""

    why: str
    """quorum, deadline, form or command; `without`: the round goes on without any answer."""
    by: str
    """Who closed it: a person, or `tick`."""
    at: str
    """UTC, ISO 8601."""
    given: int
    """Answers that were there."""
    wanted: int
    """Answers that were wanted."""
    answers: Segments
    """Objects of each writer that count."""
    late: dict[str, dict[str, tuple[int, int]]]
    """By earlier round: of each writer the objects that came after that round had closed."""


def progress_of(items: Sequence[Item], answers: Iterable[Answer], deadline: str | None) -> Progress:
    """How far `items` are with `answers` to them."""
    said = latest(answers)
    people = Counter(item_id for item_id, _ in said)
    asked = {item.item_id: item.annotators for item in items}
    return Progress(
        wanted=sum(asked.values()),
        given=sum(min(number, asked[one]) for one, number in people.items()),
        items=len(asked),
        items_done=sum(number >= asked[one] for one, number in people.items()),
        skipped=sum(one.outcome == "skip" for one in said.values()),
        people=dict(sorted(Counter(name for _, name in said).items())),
        deadline=deadline,
    )


def facts_of(said: Mapping[str, Any]) -> BatchFacts:
    """The facts that `batch.json` holds."""
    return BatchFacts(
        **{
            **said,
            "items": Artifact(**said["items"]),
            "terms": Terms(**said["terms"]),
        }
    )


def closed_of(said: Mapping[str, Any]) -> Closed:
    """The closing that `closed.json` holds."""
    late = {
        index: {writer: (first, last) for writer, (first, last) in writers.items()}
        for index, writers in said["late"].items()
    }
    return Closed(**{**said, "late": late})
