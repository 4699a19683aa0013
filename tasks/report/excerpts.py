"""A few pairs to read, chosen by digest, not by taste."""

from typing import NamedTuple

from tasks.records import Message
from tasks.report.data import RoundData
from tasks.report.tally import KINDS, ShownPair


class Side(NamedTuple):
    """One of two texts that stand side by side."""

    label: str
    """chosen or rejected."""
    cell: str
    """The cell that wrote it, or empty."""
    text: str


class Excerpt(NamedTuple):
    """A prompt and two responses to it."""

    messages: list[Message]
    left: Side
    right: Side
    decided_by: str
    """Who decided it; empty where that is not known."""
    overruled: list[str]
    """Annotators who said the opposite."""


def excerpts(data: RoundData, number: int = 6) -> list[Excerpt]:
    """At most `number` pairs, taking turns between the ways of deciding, at most one a prompt."""
    shown = data.tally.shown
    kinds = [*KINDS, *sorted(shown.keys() - set(KINDS))]
    return _taking_turns([[_pair(one) for _, one in shown.get(kind, [])] for kind in kinds])[
        :number
    ]


def _pair(one: ShownPair) -> Excerpt:
    return Excerpt(
        messages=one.messages,
        left=Side("chosen", one.chosen.cell, one.chosen.text),
        right=Side("rejected", one.rejected.cell, one.rejected.text),
        decided_by=one.belief.decided_by if one.belief else "",
        overruled=one.belief.overruled if one.belief else [],
    )


def _taking_turns(groups: list[list[Excerpt]]) -> list[Excerpt]:
    longest = max((len(group) for group in groups), default=0)
    return [group[turn] for turn in range(longest) for group in groups if turn < len(group)]
