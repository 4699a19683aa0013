"""A few samples to read: pairs and evaluation responses, chosen by digest, not by taste."""

from typing import NamedTuple

from tasks.canonical import digest
from tasks.records import Message
from tasks.report.data import RoundData
from tasks.report.tally import KINDS, ShownPair


class Side(NamedTuple):
    """One of two texts that stand side by side."""

    label: str
    """chosen, rejected, reference or policy."""
    cell: str
    """The cell that wrote it, or empty."""
    text: str


class Excerpt(NamedTuple):
    """A prompt and two responses to it."""

    messages: list[Message]
    left: Side
    right: Side
    decided_by: str
    """Who decided a pair; empty for an evaluation prompt."""
    overruled: list[str]
    """Annotators who said the opposite."""


def excerpts(data: RoundData, number: int = 10) -> list[Excerpt]:
    """At most `number` excerpts, half pairs and half evaluation responses where there are enough.

    Pairs are mixed by who decided them, at most one a prompt; the order of the rows is irrelevant.
    """
    pairs, answers = _pairs(data), _answers(data)
    num_answers = min(len(answers), max(number // 2, number - len(pairs)))
    return pairs[: number - num_answers] + answers[:num_answers]


def _answers(data: RoundData) -> list[Excerpt]:
    ordered = sorted(data.samples, key=lambda sample: digest(sample[0].prompt_id))
    return [
        Excerpt(
            messages=prompt.messages,
            left=Side("reference", "", reference),
            right=Side("policy", "", policy),
            decided_by="",
            overruled=[],
        )
        for prompt, reference, policy in ordered
    ]


def _pairs(data: RoundData) -> list[Excerpt]:
    """One excerpt for each prompt with a pair, taking turns between the ways of deciding."""
    shown = data.tally.shown
    kinds = [*KINDS, *sorted(shown.keys() - set(KINDS))]
    return _taking_turns([[_pair(one) for _, one in shown.get(kind, [])] for kind in kinds])


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
