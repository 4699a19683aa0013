"""The chosen comparisons as items: sides, repeats, known answers, and the order of the queue."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from tasks.annotation_items import Item, item_id_of
from tasks.queue.evidence import Comparison
from tasks.queue.settings import KNOWN, REPEAT, QueueSettings
from tasks.seeds import uniform_of

MIRRORED = {"a": "b", "b": "a"}


class Picked(NamedTuple):
    """A comparison that was chosen, and why."""

    prompt_id: str
    ids: Comparison
    reason: str
    stratum: str
    chance: float
    rank: float
    """0 to 1, where it stands among those that were chosen in the same way; the first is asked
    first."""


class Gold(NamedTuple):
    """A comparison whose answer is known beforehand."""

    prompt_id: str
    ids: Comparison
    outcome: str
    """a, b or tie."""
    stratum: str


def item_of(picked: Picked, settings: QueueSettings, seed: int) -> Item:
    """The item that asks for it, its place not given yet."""
    item_id = item_id_of(picked.prompt_id, *picked.ids)
    return Item(
        item_id=item_id,
        prompt_id=picked.prompt_id,
        a_id=picked.ids[0],
        b_id=picked.ids[1],
        repeat=0,
        first_shown="a" if uniform_of(seed, "side", item_id) < 0.5 else "b",
        reason=picked.reason,
        stratum=picked.stratum,
        chance=picked.chance,
        known=None,
        annotators=settings.annotators_for(picked.reason),
        position=0,
    )


def known_items(
    gold: Iterable[Gold], number: int, settings: QueueSettings, seed: int
) -> list[Item]:
    """Up to `number` items of known answers, drawn by the seed."""
    drawn = sorted(gold, key=lambda one: (uniform_of(seed, "known", one.prompt_id, *one.ids), one))
    return [
        replace(
            item_of(Picked(one.prompt_id, one.ids, KNOWN, one.stratum, 1.0, 0.0), settings, seed),
            known=one.outcome,
        )
        for one in drawn[:number]
    ]


def repeats_of(
    items: Sequence[Item], number: int, settings: QueueSettings, seed: int
) -> list[Item]:
    """Up to `number` of `items` asked again, drawn by the seed, with the other side first."""
    drawn = sorted(items, key=lambda one: uniform_of(seed, "repeat", one.item_id))[:number]
    return [
        replace(
            one,
            item_id=item_id_of(one.prompt_id, one.a_id, one.b_id, 1),
            repeat=1,
            first_shown=MIRRORED[one.first_shown],
            reason=REPEAT,
            chance=1.0,
            annotators=settings.annotators_for(REPEAT),
        )
        for one in drawn
    ]


def in_order(ranked: Iterable[tuple[float, Item]], again: Sequence[Item], seed: int) -> list[Item]:
    """All items in the order of the queue, with their places.

    Every kind is spread evenly, the strongest reasons first: whoever stops early has done a fair
    part of each. What is asked again comes in the second half, after its first time.
    """
    first = sorted(ranked, key=lambda one: (one[0], uniform_of(seed, "place", one[1].item_id)))
    places = {item.item_id: place for place, (_, item) in enumerate(first)}
    mixed = [(float(place), item) for place, (_, item) in enumerate(first)]
    for item in again:
        asked = places.get(item_id_of(item.prompt_id, item.a_id, item.b_id), -1)
        late = max(asked + 1, len(first) / 2)
        spread = uniform_of(seed, "place", item.item_id) * (len(first) - late)
        mixed.append((late + spread, item))
    mixed.sort(key=lambda one: (one[0], one[1].item_id))
    return [replace(item, position=place) for place, (_, item) in enumerate(mixed)]


def ranks(number: int) -> list[float]:
    """Where so many stand that are spread evenly over the queue, 0 to 1."""
    return [(place + 0.5) / number for place in range(number)]
