"""What several people together say of a comparison, as verdicts that correction follows."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tasks.aggregations._contract import Together, Vote
from tasks.annotation_items import Answer, Item
from tasks.canonical import short_id
from tasks.opinions import Annotator, Opinion, Question, verdict_of
from tasks.records import Verdict
from tasks.variants import settings_of
from tasks.voices import P_B_WINS, people_of

PEOPLE = "people"
"""Annotator of the verdicts that stand for all people; their kind is `aggregate`."""
SEPARATOR = " "


def votes_of(verdicts: Iterable[Verdict]) -> Iterator[Vote]:
    """One vote of each person on each comparison; none of who contradicts himself."""
    said: dict[tuple[str, ...], list[Verdict]] = {}
    for one in verdicts:
        if one.annotator_kind == "human" and one.b_id and one.a_id != one.b_id:
            said.setdefault((one.prompt_id, one.a_id, one.b_id, one.criterion), []).append(one)
    for key, rows in said.items():
        for voice in people_of(rows):
            yield Vote(SEPARATOR.join(key), voice.annotator, voice.outcome)


def known_votes(answers: Iterable[Answer], items: Mapping[str, Item]) -> Iterator[Vote]:
    """The votes on items whose outcome is known: they measure people and nothing else."""
    for one in answers:
        if items[one.item_id].known is not None and one.outcome in P_B_WINS:
            yield Vote(one.item_id, one.annotator, one.outcome)


def said_together(
    votes: Iterable[Vote], known: Mapping[str, str], aggregation: Any
) -> list[Verdict]:
    """One verdict for each comparison that a person spoke of; skip where they do not decide.

    `known` are the outcomes of items whose answer is known; these get no verdict.
    """
    listed = sorted(set(votes))
    found = aggregation(listed, known)
    annotator = Annotator(name=PEOPLE, kind="aggregate", version=short_id(settings_of(aggregation)))
    voted = sorted({one.comparison for one in listed} - known.keys())
    return [_verdict(name, found.get(name), annotator) for name in voted]


def _verdict(comparison: str, said: Together | None, annotator: Annotator) -> Verdict:
    prompt_id, a_id, b_id, criterion = comparison.split(SEPARATOR, 3)
    question = Question(prompt_id=prompt_id, first_id=a_id, second_id=b_id, criterion=criterion)
    sides = {"a": "first", "b": "second"}
    opinion = (
        Opinion(outcome="skip")
        if said is None
        else Opinion(outcome=sides.get(said.outcome, "tie"), p_second_wins=said.p_b_wins)
    )
    return replace(verdict_of(opinion, question, annotator), first_shown="unknown")
