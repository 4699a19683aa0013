"""Which item a person sees next, and how far everybody is.

All of it follows from the items, the answers and the leases; nothing here is kept.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median

from infra.annotation.page.leases import Holder, Leases
from tasks.annotation_items import Answer, Item

WITHDRAWN, SKIP = "withdrawn", "skip"
RECENT = 30
"""Answers of a person that their pace is the median of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a person and everybody together are."""

    done: int
    """Items that this person has answered or skipped."""
    left: int
    """Items that still want an answer and that this person may give one to."""
    answers: int
    """Answers that all people gave, as far as they were wanted."""
    wanted: int
    """Answers that are wanted of all people."""
    seconds: float | None
    """Median time of this person's last answers."""


class Desk:
    """Hands items out and takes answers in; not to be shared between threads."""

    def __init__(self, items: Sequence[Item], answers: Iterable[Answer], leases: Leases) -> None:
        self._items = sorted(items, key=lambda item: item.position)
        self._by_id = {item.item_id: item for item in self._items}
        self._place = {item.item_id: place for place, item in enumerate(self._items)}
        self._said: dict[str, dict[str, dict[int, Answer]]] = {}
        self._order: dict[str, dict[str, Answer]] = defaultdict(dict)
        self._returned: dict[str, dict[str, None]] = defaultdict(dict)
        self._first_open = 0
        self._unanswered: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        self._done_open: Counter[str] = Counter()
        self._open = len(self._items)
        self._answers = 0
        self._wanted = sum(item.annotators for item in self._items)
        self._leases = leases
        for answer in sorted(answers, key=lambda one: one.answered_at or ""):
            self.register(answer)

    def item(self, item_id: str) -> Item | None:
        """The item with this id, if it is one of the batch."""
        return self._by_id.get(item_id)

    def revisions(self, item_id: str, annotator: str) -> dict[int, Answer]:
        """All that a person said of an item, by revision."""
        return self._said.get(item_id, {}).get(annotator, {})

    def register(self, answer: Answer) -> None:
        """Take note of an answer that is durable; one that is known changes nothing."""
        item = self._by_id.get(answer.item_id)
        if item is None or answer.revision in self.revisions(answer.item_id, answer.annotator):
            return
        people = self._said.setdefault(item.item_id, {})
        self._count(item, -1)
        people.setdefault(answer.annotator, {})[answer.revision] = answer
        self._count(item, +1)
        self._remember(answer.annotator, item)
        self._leases.release(item.item_id, answer.annotator)

    def _remember(self, annotator: str, item: Item) -> None:
        """Keep the order in which a person answered, and what they took back."""
        said = latest_of(self.revisions(item.item_id, annotator))
        self._order[annotator].pop(item.item_id, None)
        self._returned[annotator].pop(item.item_id, None)
        if said.outcome == WITHDRAWN:
            self._returned[annotator][item.item_id] = None
        else:
            self._order[annotator][item.item_id] = said

    def _count(self, item: Item, sign: int) -> None:
        """Add an item to all sums (1), or take it out of them (-1)."""
        said = [latest_of(one) for one in self._said[item.item_id].values()]
        people = [one.annotator for one in said if one.outcome != WITHDRAWN]
        filled = self._filled(item)
        is_open = filled < item.annotators
        self._answers += sign * min(filled, item.annotators)
        self._open += sign * (1 if is_open else 0)
        for name in people:
            self._done[name] += sign
            self._done_open[name] += sign * is_open
        if sign > 0 and is_open:
            self._first_open = min(self._first_open, self._place[item.item_id])

    def _filled(self, item: Item) -> int:
        """How many people said something of an item; who skips it leaves it to another."""
        said = self._said.get(item.item_id, {}).values()
        return sum(latest_of(one).outcome not in (WITHDRAWN, SKIP) for one in said)

    def next(
        self, holder: Holder, count: int, now: float, without: Container[str] = ()
    ) -> list[Item]:
        """Up to `count` items for a person, who holds them now; what they took back comes first.

        `without` are items that the person has before them already.
        """
        free = (
            item
            for item in self._in_turn(holder.annotator)
            if item.item_id not in without and self._is_free(item, holder, now)
        )
        found = list(islice(free, count))
        self._leases.take((item.item_id for item in found), holder, now)
        return found

    def _in_turn(self, annotator: str) -> Iterator[Item]:
        """What a person took back, then the items from the first that may be open for them."""
        returned = self._returned[annotator]
        yield from (self._by_id[one] for one in returned)
        yield from (item for item in self._unseen(annotator) if item.item_id not in returned)

    def _unseen(self, annotator: str) -> Iterator[Item]:
        items = self._items
        while self._first_open < len(items) and self._is_filled(items[self._first_open]):
            self._first_open += 1
        place = max(self._first_open, self._unanswered[annotator])
        while place < len(items) and self._has_answered(items[place], annotator):
            place += 1
        self._unanswered[annotator] = place
        return (items[one] for one in range(place, len(items)))

    def _is_filled(self, item: Item) -> bool:
        return self._filled(item) >= item.annotators

    def _has_answered(self, item: Item, annotator: str) -> bool:
        """Whether a person said anything of an item; what they took back is listed apart."""
        return bool(self.revisions(item.item_id, annotator))

    def _is_free(self, item: Item, holder: Holder, now: float) -> bool:
        """Whether a person may see an item here and now."""
        said = self.revisions(item.item_id, holder.annotator)
        if said and latest_of(said).outcome != WITHDRAWN:
            return False
        holders = self._leases.holders(item.item_id, now) - {holder}
        if holder.annotator in {one.annotator for one in holders}:
            return False
        return self._filled(item) + len(holders) < item.annotators

    def renew(self, holder: Holder, item_ids: Iterable[str], now: float) -> list[str]:
        """Hold on to items; those that are not this person's any more come back."""
        known = [self._by_id.get(one) for one in item_ids]
        kept = [one for one in known if one is not None and self._is_free(one, holder, now)]
        self._leases.take((item.item_id for item in kept), holder, now)
        ours = {item.item_id for item in kept}
        return [one for one in item_ids if one not in ours]

    def hold(self, item_id: str, holder: Holder, now: float) -> None:
        """Hold one item: it was just taken back."""
        self._leases.take([item_id], holder, now)

    def last(self, annotator: str) -> Answer | None:
        """What a person said last and has not taken back."""
        said = self._order[annotator]
        return said[next(reversed(said))] if said else None

    def progress(self, annotator: str) -> Progress:
        """How far this person and everybody together are."""
        recent = islice(reversed(self._order[annotator].values()), RECENT)
        times = [one.duration_seconds for one in recent if one.duration_seconds is not None]
        return Progress(
            done=self._done[annotator],
            left=self._open - self._done_open[annotator],
            answers=self._answers,
            wanted=self._wanted,
            seconds=median(times) if times else None,
        )


def latest_of(revisions: dict[int, Answer]) -> Answer:
    """What counts of all that a person said of an item."""
    return revisions[max(revisions)]
