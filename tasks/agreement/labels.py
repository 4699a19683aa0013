"""What each annotator makes of each comparison: one label, both orders and repeats together.

A label says whether the response that is *presumed* better (of the stronger cell) won. So what is
expected by chance contains what everybody knows, and kappa and alpha measure agreement beyond it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

from tasks.candidates import Candidate
from tasks.records import Verdict
from tasks.voices import Voice, judges_of, most_frequent, people_of

PRESUMED, TIE, OTHER = 0, 1, 2
"""The presumed better one won, neither, the other one."""
NUM_LABELS = 3


class Item(NamedTuple):
    """One comparison under one criterion."""

    prompt_id: str
    criterion: str
    presumed: str
    """The response presumed better; of two of one cell, the smaller id."""
    other: str


Labels = dict[Item, int]


class Opinions(NamedTuple):
    """All labels of a round by annotator, in the order of names."""

    judges: dict[str, Labels]
    people: dict[str, Labels]
    majority: Labels
    """What most people say; comparisons on which they are split evenly are left out."""


def opinions(verdicts: Sequence[Verdict], candidates: Iterable[Candidate]) -> Opinions:
    """The labels of judges and people; the prior has no opinion.

    A judge that changes its mind with the order is taken to see a tie, as in MT-Bench
    (arXiv:2306.05685, 3.3); a reply that nobody could read is no opinion. Two scores are a
    comparison, unless the verdicts have comparisons by the same rule already (`tasks/scales.py`).
    """
    ranks = {one.response_id: (one.rank, one.cell) for one in candidates}
    judges: dict[str, Labels] = {}
    people: dict[str, Labels] = {}
    for rows in _by_comparison(verdicts).values():
        for voice in judges_of(rows, "full", "inconsistent"):
            _put(judges, voice, rows[0], ranks)
        for voice in people_of(rows):
            _put(people, voice, rows[0], ranks)
    for voice, row in _scored(verdicts):
        _put(people if row.annotator_kind == "human" else judges, voice, row, ranks)
    people = dict(sorted(people.items()))
    return Opinions(dict(sorted(judges.items())), people, majority_of(people.values()))


Ranks = Mapping[str, tuple[tuple[bool, float], str]]


def _by_comparison(verdicts: Iterable[Verdict]) -> dict[tuple[str, str, str], list[Verdict]]:
    found: dict[tuple[str, str, str], list[Verdict]] = {}
    for row in verdicts:
        if row.b_id and row.a_id != row.b_id:
            found.setdefault((row.a_id, row.b_id, row.criterion), []).append(row)
    return found


def _put(into: dict[str, Labels], voice: Voice, row: Verdict, ranks: Ranks) -> None:
    """Note what `voice` says of the comparison that `row` is about."""
    if voice.outcome == "unparsed":
        return
    a, b = ranks[row.a_id], ranks[row.b_id]
    a_presumed = a[0] > b[0] or (a[0] == b[0] and (a[1], row.a_id) < (b[1], row.b_id))
    winner = {"a": PRESUMED, "b": OTHER}.get(voice.outcome, TIE)
    label = winner if a_presumed else NUM_LABELS - 1 - winner
    ids = (row.a_id, row.b_id) if a_presumed else (row.b_id, row.a_id)
    into.setdefault(voice.annotator, {})[Item(row.prompt_id, row.criterion, *ids)] = label


def _scored(verdicts: Sequence[Verdict]) -> Iterable[tuple[Voice, Verdict]]:
    """Every two responses to a prompt that one annotator scored on one scale, as a comparison."""
    compared = {(row.annotator, row.prompt_id, row.criterion) for row in verdicts if row.b_id}
    scores: dict[tuple[str, str, str, str], dict[str, list[Verdict]]] = {}
    for row in verdicts:
        if (row.annotator, row.prompt_id, row.criterion) in compared:
            continue
        if not row.b_id and row.score is not None:
            key = (row.annotator, row.prompt_id, row.criterion, row.scale or "")
            scores.setdefault(key, {}).setdefault(row.a_id, []).append(row)
    for (name, *_), by_response in sorted(scores.items()):
        means = {
            response: math.fsum(row.score or 0.0 for row in rows) / len(rows)
            for response, rows in by_response.items()
        }
        for a, b in combinations(sorted(means), 2):
            outcome = "tie" if means[a] == means[b] else "a" if means[a] > means[b] else "b"
            row = by_response[a][0]
            yield Voice(name, outcome, 0.5), replace(row, a_id=a, b_id=b)


def majority_of(people: Iterable[Labels]) -> Labels:
    """The most frequent label of each item; items with two equally frequent ones are left out."""
    said: dict[Item, list[str]] = {}
    for labels in people:
        for item, label in labels.items():
            said.setdefault(item, []).append(str(label))
    found = {item: most_frequent(labels) for item, labels in said.items()}
    return {item: int(label) for item, label in found.items() if label is not None}


def by_criterion(labels: Mapping[str, Labels]) -> dict[str, dict[str, Labels]]:
    """Labels by criterion, then by annotator."""
    found: dict[str, dict[str, Labels]] = {}
    for name, items in labels.items():
        for item, label in items.items():
            found.setdefault(item.criterion, {}).setdefault(name, {})[item] = label
    return dict(sorted(found.items()))
