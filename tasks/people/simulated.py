"""Simulated people answer a queue: they are right, fast and biased as far as their settings say."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from scipy.special import ndtri

from tasks.annotation_items import Answer, Item
from tasks.records import Prompt, Response
from tasks.seeds import uniform_of

SPREAD = 0.5
"""Standard deviation of the logarithm of the seconds that one person takes for one item."""
SHORTEST = 1e-9


def simulated_answers(
    items: Iterable[Item],
    prompts: Mapping[str, Prompt],
    responses: Mapping[str, Response],
    people: Mapping[str, Any],
) -> list[Answer]:
    """The answers of the people that are wanted for each item; they take turns along the queue.

    Of several who see an item, every other one is shown its sides the other way round.
    """
    named = {name: _named(people[name], name) for name in sorted(people)}
    names = list(named)
    found = []
    for item in items:
        asked = prompts[item.prompt_id], responses[item.a_id], responses[item.b_id]
        for turn in range(min(item.annotators, len(names))):
            name = names[(item.position + turn) % len(names)]
            found.append(_answer(named[name], name, item, turn, asked))
    return found


def _named(person: Any, name: str) -> Any:
    """`person` under `name`: what a simulated person gets wrong depends on it."""
    return replace(person, name=name) if hasattr(person, "name") else person


def _answer(
    person: Any, name: str, item: Item, turn: int, asked: tuple[Prompt, Response, Response]
) -> Answer:
    prompt, *sides = asked
    shown = item.first_shown if turn % 2 == 0 else {"a": "b", "b": "a"}[item.first_shown]
    first, second = sides if shown == "a" else sides[::-1]
    opinion = person.compare(prompt, first, second, item.item_id)
    side = {"first": shown, "second": {"a": "b", "b": "a"}[shown]}
    return Answer(
        item_id=item.item_id,
        annotator=name,
        outcome=side.get(opinion.outcome, opinion.outcome),
        strength=None,
        tags=[],
        comment="",
        ideal=None,
        ideal_from=None,
        revision=0,
        first_shown=shown,
        front_end="simulated",
        session=None,
        answered_at=None,
        duration_seconds=_seconds(person, name, item),
    )


def _seconds(person: Any, name: str, item: Item) -> float | None:
    """How long it took: log-normal around the median of this person."""
    median = getattr(person, "seconds", 0.0)
    if not median:
        return None
    lot = max(SHORTEST, uniform_of("seconds", name, item.item_id))
    return float(median * math.exp(SPREAD * ndtri(lot)))
