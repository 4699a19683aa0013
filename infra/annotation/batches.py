"""The batch of a round: what people are asked, what they answered, and when that is enough.

runs/RUN/rounds/00003/annotation/
    batch.json             what is asked and on which terms; created once
    batch-00001.json, ...  where the round was redone with other items; the highest is the batch
    answers/, packs/       what people said (answer_objects.py), shared by all batches of the round
    extended/KEY.json      a later deadline
    closed.json            created once: why and by whom, and which answers count for good

Everything here is created and never changed, so any number of front ends, flow runs and ticks may
work on a batch at once, be killed, and go on.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cached_property

from infra.annotation.answer_objects import Segments, Writer, without_doubles
from infra.annotation.batch_records import (
    BatchFacts,
    Closed,
    Progress,
    Terms,
    closed_of,
    facts_of,
    progress_of,
)
from infra.annotation.batch_rounds import (
    folder_of,
    late_answers,
    newest,
    numbered,
    objects_of,
    rounds_with_batches,
    uncounted,
)
from infra.annotation.texts import Texts, TextTables
from infra.artifacts import open_artifact
from infra.run_tree import RunTree
from infra.storage import Store
from tasks.annotation_items import Answer, Item, check_answer
from tasks.errors import ConfigError, DataError
from tasks.records import Artifact
from tasks.tables import from_table

CLOSED_BECAUSE = ("quorum", "deadline", "form", "command", "without")


class Batch:
    """One batch in a store; answers are read as they come, each object once."""

    def __init__(self, store: Store, facts: BatchFacts, writer: str = "") -> None:
        """`writer`: the front end that this process answers for, or FRONT_END:NAME."""
        self.store = store
        self.facts = facts
        self.tree = RunTree(store, facts.run)
        self.folder = folder_of(facts.round_index)
        self._objects = objects_of(self.tree, facts.round_index)
        front_end, _, name = (writer or facts.terms.front_end).partition(":")
        self._writer = Writer(self._objects, front_end, name)
        self._known: tuple[Segments, list[Answer]] | None = None

    def __repr__(self) -> str:
        return f"Batch({self.tree.folder}/{self._path('batch')})"

    @property
    def label(self) -> str:
        """As people read it, e.g. weekly · round 3."""
        return f"{self.facts.run} · round {self.facts.round_index}"

    @property
    def current(self) -> bool:
        """Whether no later batch took its place."""
        return newest(self.tree, self.facts.round_index) == self.facts.generation

    def _path(self, name: str) -> str:
        return f"{self.folder}/{numbered(name, self.facts.generation)}"

    @cached_property
    def _items(self) -> list[Item]:
        table = open_artifact(self.store, self.facts.items).table()
        return sorted(from_table(Item, table), key=lambda one: one.position)

    def items(self) -> list[Item]:
        """All comparisons, in the order in which they are asked."""
        return self._items

    @cached_property
    def _by_id(self) -> dict[str, Item]:
        return {item.item_id: item for item in self._items}

    def by_id(self) -> Mapping[str, Item]:
        """All comparisons by their ids."""
        return self._by_id

    @cached_property
    def _texts(self) -> TextTables:
        return TextTables(self.store, self.facts.items, self._items)

    def texts(self, start: int, stop: int) -> list[Texts]:
        """What the items from `start` up to `stop` show."""
        return self._texts.of(self._items[start:stop])

    def texts_of(self, items: Sequence[Item]) -> list[Texts]:
        """What these items show, in their order."""
        return self._texts.of(items)

    def append(self, answers: Sequence[Answer]) -> None:
        """Keep answers: they are durable when this returns. Called twice, they count once.

        Raises DataError for an answer that cannot be, and then keeps none. What comes after the
        batch is closed is kept for the next round.
        """
        for answer in answers:
            item = self._by_id.get(answer.item_id)
            if item is None:
                raise DataError(
                    f"answer of {answer.annotator!r}: {self.label} has no item {answer.item_id!r}"
                )
            check_answer(answer, item)
        if answers:
            self._writer.write(answers)

    def answers(self) -> list[Answer]:
        """All answers there are now, one for each item, annotator and revision.

        Those to items of an earlier batch of the round that this one does not ask are left out.
        """
        segments = self._objects.segments()
        if self._known is None or self._known[0] != segments:
            self._known = segments, self._ours(self._objects.upto(segments))
        return list(self._known[1])

    def _ours(self, answers: Iterable[Answer]) -> list[Answer]:
        known = self._by_id
        return without_doubles(one for one in answers if one.item_id in known)

    def progress(self) -> Progress:
        """How far it is now; once it is closed, how far it was then."""
        counted = self.counted() if self.closed else self.answers()
        return self._progress(counted)

    def _progress(self, answers: Iterable[Answer]) -> Progress:
        return progress_of(self._items, answers, self.deadline)

    @property
    def deadline(self) -> str | None:
        """When the round no longer waits (UTC, ISO 8601), by the terms or the last extension."""
        moments = [] if (own := self._own_deadline()) is None else [own]
        for path in self.store.list(f"{self.tree.folder}/{self.folder}/extended"):
            entry = json.loads(self.store.read(path))
            if entry["generation"] == self.facts.generation:
                moments.append(entry["deadline"])
        return max(moments, default=None)

    def _own_deadline(self) -> str | None:
        hours = self.facts.terms.deadline_hours
        if hours is None:
            return None
        return _iso(datetime.fromisoformat(self.facts.made_at) + timedelta(hours=hours))

    def extend(self, hours: float, by: str, key: str) -> None:
        """Let the deadline be `hours` from now; the same `key` extends once."""
        if not hours > 0:
            raise ConfigError(f"{self.label}: extended by {hours:g} hours; write more than 0")
        until = _iso(_now() + timedelta(hours=hours))
        entry = {"deadline": until, "by": by, "at": _iso(_now())}
        name = f"{self.folder}/extended/{key}.json"
        self.tree.create(name, entry | {"generation": self.facts.generation})

    def is_due(self, now: datetime | None = None) -> str:
        """Why it has answers enough: quorum or deadline; empty if it has not."""
        progress = self._progress(self.answers())
        if progress.share >= self.facts.terms.quorum:
            return "quorum"
        moment = now or _now()
        over = progress.deadline and moment >= datetime.fromisoformat(progress.deadline)
        return "deadline" if over else ""

    def settled(self, by: str) -> str:
        """Why the round no longer waits, empty if it does; closes what is due.

        A batch whose terms say that the round fails at its deadline is not closed by that.
        """
        if closed := self.closed:
            return closed.why
        why = self.is_due()
        if why == "quorum" or (why and self.facts.terms.on_deadline == "go_on"):
            self.pack()
            return self.close(why, by).why
        return why

    @property
    def closed(self) -> Closed | None:
        """How it was closed; None while answers still count."""
        found = self.tree.read(self._path("closed"))
        return None if found is None else closed_of(found)

    def close(self, why: str, by: str) -> Closed:
        """Fix which answers count: those that are there, or none if the round goes on without.

        Of several who close it the first does.
        """
        if why not in CLOSED_BECAUSE:
            raise DataError(f"closed because {why!r}; allowed: {', '.join(CLOSED_BECAUSE)}")
        if already := self.closed:
            return already
        segments = {} if why == "without" else self._objects.segments()
        progress = self._progress(self._ours(self._objects.upto(segments)))
        wanted = Closed(
            why=why,
            by=by,
            at=_iso(_now()),
            given=progress.given,
            wanted=progress.wanted,
            answers=segments,
            late=uncounted(self.tree, self.facts.round_index),
        )
        return closed_of(self.tree.create(self._path("closed"), asdict(wanted)))

    def counted(self) -> list[Answer]:
        """The answers that count, the same at every call; DataError while it is open."""
        return self._ours(self._objects.upto(self._fixed().answers))

    def late(self) -> dict[int, list[Answer]]:
        """By earlier round: what came in after it had closed, and no round has counted before."""
        return late_answers(self.tree, self._fixed().late)

    def _fixed(self) -> Closed:
        closed = self.closed
        if closed is None:
            raise DataError(f"{self.label} is still open: nobody knows which answers count")
        return closed

    def pack(self) -> int:
        """Keep reading fast where there are very many objects; how many packs were made."""
        return self._objects.pack()


def make_batch(tree: RunTree, round_index: int, items: Artifact, terms: Terms) -> Batch:
    """The batch of a round that asks `items` on `terms`; found again if it is made already.

    If the round has one with other items or terms, the new one takes its place; of a closed one
    the terms no longer matter.
    """
    last = newest(tree, round_index)
    if last is not None:
        known = _read(tree, round_index, last)
        same_terms = known.facts.terms == terms or known.closed is not None
        if known.facts.items.content == items.content and same_terms:
            return known
    rows = from_table(Item, open_artifact(tree.store, items).table())
    facts = BatchFacts(
        run=tree.folder.rpartition("/")[2],
        round_index=round_index,
        generation=0 if last is None else last + 1,
        items=items,
        wanted=sum(item.annotators for item in rows),
        terms=terms,
        made_at=_iso(_now()),
    )
    name = f"{folder_of(round_index)}/{numbered('batch', facts.generation)}"
    made = facts_of(tree.create(name, asdict(facts)))
    if (made.items.content, made.terms) != (items.content, terms):  # somebody else was first
        return make_batch(tree, round_index, items, terms)
    return Batch(tree.store, made)


def open_batch(store: Store, run: str, round_index: int | None = None, writer: str = "") -> Batch:
    """The batch of a round, of the newest that has one if none is named; ConfigError without one.

    `writer` is the front end that this process answers for.
    """
    tree = RunTree(store, run)
    found = rounds_with_batches(tree)
    if round_index is None and found:
        round_index = found[-1]
    if round_index is None or round_index not in found:
        there = f"rounds that have: {', '.join(map(str, found))}" if found else "no round has one"
        asked = "" if round_index is None else f" round {round_index}"
        raise ConfigError(
            f"run {run!r}{asked} asks people nothing in {store.root}; {there}. A round asks where "
            "annotate.budget is above 0 and annotate.front_end is no `none`"
        )
    last = newest(tree, round_index)
    return _read(tree, round_index, last or 0, writer)


def _read(tree: RunTree, round_index: int, generation: int, writer: str = "") -> Batch:
    name = f"{folder_of(round_index)}/{numbered('batch', generation)}"
    said = tree.read(name)
    if said is None:
        raise DataError(f"{tree.folder}/{name} vanished while it was being read")
    return Batch(tree.store, facts_of(said), writer)


def _now() -> datetime:
    return datetime.now(UTC)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
