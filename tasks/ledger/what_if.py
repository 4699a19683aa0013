"""What other settings of correction and pairing would have made of a round's verdicts; pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tasks.canonical import digest
from tasks.ledger.rounds import Change
from tasks.records import Preference, PreferencePair

Fate = Literal["stays", "turned", "appears", "vanishes"]
FATES: tuple[Fate, ...] = ("stays", "turned", "appears", "vanishes")
UNSPOKEN = "nobody_spoke"
"""Where there is no preference on two responses."""
RULE = "rule_or_filter"
"""Where a preference is decided, and rule or filters make no pair of it."""

Sides = tuple[str, str]
"""The chosen and the rejected response."""


class Paired(NamedTuple):
    """A round's pairs under some settings, and what is believed behind them."""

    pairs: Sequence[PreferencePair]
    """Those that are held out included."""
    preferences: Sequence[Preference]
    counts: Mapping[str, int]
    """Of the stage."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """What becomes of one pair."""

    fate: Fate
    """stays, turned, appears or vanishes."""
    prompt_id: str
    """The prompt both responses answer."""
    chosen_id: str
    """The better response, as it would be; of a pair that vanishes, as it is."""
    rejected_id: str
    """The worse response."""
    pair_id: str
    """Of the pair that there is (`tso why`); empty for one that appears."""
    was: str
    """Why it is as it is: the reason of the preference, or why there is no pair."""
    would_be: str
    """The same under the other settings."""
    p_was: float | None
    """Probability that the chosen one is better, as the pair has it."""
    p_would_be: float | None
    """The same under the other settings."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReasonRow:
    """Pairs of one fate for the same reasons."""

    fate: Fate
    """stays, turned, appears or vanishes."""
    was: str
    """As in Moved."""
    would_be: str
    """As in Moved."""
    pairs: int
    """How many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CellRow:
    """Pairs of one fate between the same cells."""

    fate: Fate
    """stays, turned, appears or vanishes."""
    chosen: str
    """The cell of the chosen response."""
    rejected: str
    """The cell of the rejected response."""
    pairs: int
    """How many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CountRow:
    """A count of the stage that would be another."""

    name: str
    """As the manifest names it, e.g. dropped_truncated."""
    was: int
    """As it is."""
    would_be: int
    """As it would be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WhatIf:
    """A round paired anew, beside what it was."""

    run: str
    """Name of the run."""
    round_index: int
    """The round."""
    changed: Sequence[Change]
    """Settings that differ."""
    was: int
    """Pairs that there are."""
    would_be: int
    """Pairs that there would be."""
    fates: Mapping[str, int]
    """How many stay, are turned round, appear and vanish."""
    surer: int
    """Of those that stay, how many would have a higher probability."""
    less_sure: int
    """Of those that stay, how many would have a lower one."""
    reasons: Sequence[ReasonRow]
    """What becomes of pairs that do not stay, by reason, the most frequent first."""
    cells: Sequence[CellRow]
    """The same by cell."""
    counts: Sequence[CountRow]
    """Counts of the stage that differ."""
    examples: Sequence[Moved]
    """Some pairs of each fate that do not stay, chosen by digest."""


def moves(before: Paired, after: Paired) -> list[Moved]:
    """What becomes of each pair of either, sorted by prompt and responses."""
    first, second = _by_sides(before.pairs), _by_sides(after.pairs)
    believed = [_by_responses(one.preferences) for one in (before, after)]
    found = []
    for sides, pair in second.items():
        fate, old = _fate(sides, first)
        found.append(_moved(fate, sides, old, pair, believed))
    turned = {(rejected, chosen) for chosen, rejected in second}
    for sides, pair in first.items():
        if sides not in second and sides not in turned:
            found.append(_moved("vanishes", sides, pair, None, believed))
    return sorted(found, key=lambda one: (one.prompt_id, one.chosen_id, one.rejected_id))


def _fate(
    sides: Sides, first: Mapping[Sides, PreferencePair]
) -> tuple[Fate, PreferencePair | None]:
    """What became of the pair that a new one was, with that pair."""
    if sides in first:
        return "stays", first[sides]
    old = first.get((sides[1], sides[0]))
    return ("appears", None) if old is None else ("turned", old)


def _by_sides(pairs: Iterable[PreferencePair]) -> dict[Sides, PreferencePair]:
    return {(one.chosen_id, one.rejected_id): one for one in pairs}


def _by_responses(preferences: Iterable[Preference]) -> dict[Sides, Preference]:
    return {(one.a_id, one.b_id): one for one in preferences}


def _moved(
    fate: Fate,
    sides: Sides,
    old: PreferencePair | None,
    new: PreferencePair | None,
    believed: Sequence[Mapping[Sides, Preference]],
) -> Moved:
    a_id, b_id = sorted(sides)
    was, would_be = (one.get((a_id, b_id)) for one in believed)
    prompt = next(one.prompt_id for one in (old, new) if one is not None)
    return Moved(
        fate=fate,
        prompt_id=prompt,
        chosen_id=sides[0],
        rejected_id=sides[1],
        pair_id=old.pair_id if old else "",
        was=_why(was, old),
        would_be=_why(would_be, new),
        p_was=_probability(sides, old),
        p_would_be=_probability(sides, new),
    )


def _why(belief: Preference | None, pair: PreferencePair | None) -> str:
    """The reason of a preference, or of there being no pair."""
    if belief is None:
        return UNSPOKEN
    return RULE if pair is None and belief.outcome != "dropped" else belief.reason


def _probability(sides: Sides, pair: PreferencePair | None) -> float | None:
    """Of the first of `sides` to be better, by a pair of the two."""
    if pair is None:
        return None
    return pair.p_chosen if pair.chosen_id == sides[0] else 1 - pair.p_chosen


def reason_rows(moved: Iterable[Moved]) -> list[ReasonRow]:
    """Pairs that do not stay by fate and reasons, the most frequent first."""
    found: Counter[tuple[Fate, str, str]] = Counter(
        (one.fate, one.was, one.would_be) for one in moved if one.fate != "stays"
    )
    return [
        ReasonRow(fate=fate, was=was, would_be=would_be, pairs=number)
        for (fate, was, would_be), number in _ordered(found)
    ]


def cell_rows(moved: Iterable[Moved], cell_of: Mapping[str, str]) -> list[CellRow]:
    """Pairs that do not stay by fate and cells, the most frequent first."""
    found: Counter[tuple[Fate, str, str]] = Counter(
        (one.fate, cell_of[one.chosen_id], cell_of[one.rejected_id])
        for one in moved
        if one.fate != "stays"
    )
    return [
        CellRow(fate=fate, chosen=chosen, rejected=rejected, pairs=number)
        for (fate, chosen, rejected), number in _ordered(found)
    ]


def _ordered(
    found: Mapping[tuple[Fate, str, str], int],
) -> list[tuple[tuple[Fate, str, str], int]]:
    return sorted(found.items(), key=lambda one: (FATES.index(one[0][0]), -one[1], one[0]))


def count_rows(before: Mapping[str, int], after: Mapping[str, int]) -> list[CountRow]:
    """Counts that differ, by name."""
    return [
        CountRow(name=name, was=before.get(name, 0), would_be=after.get(name, 0))
        for name in sorted(before.keys() | after.keys())
        if before.get(name, 0) != after.get(name, 0)
    ]


def examples_of(moved: Sequence[Moved], number: int) -> list[Moved]:
    """At most `number` pairs of each fate that do not stay: those with the smallest digests."""
    found = []
    for fate in FATES[1:]:
        own = [one for one in moved if one.fate == fate]
        own.sort(key=lambda one: digest([one.chosen_id, one.rejected_id]))
        found += own[:number]
    return found


class Asked(NamedTuple):
    """What is to be told of which round."""

    run: str
    round_index: int
    changed: Sequence[Change]
    """Settings that differ."""
    examples: int
    """Pairs of each fate that are shown, at most."""


def what_if(asked: Asked, before: Paired, after: Paired, cell_of: Mapping[str, str]) -> WhatIf:
    """All that other settings would change; `cell_of` is the cell of each response in a pair."""
    moved = moves(before, after)
    fates = Counter(one.fate for one in moved)
    gained = [(one.p_would_be or 0.0) - (one.p_was or 0.0) for one in moved if one.fate == "stays"]
    return WhatIf(
        run=asked.run,
        round_index=asked.round_index,
        changed=asked.changed,
        was=len(before.pairs),
        would_be=len(after.pairs),
        fates={fate: fates[fate] for fate in FATES},
        surer=sum(gain > 0 for gain in gained),
        less_sure=sum(gain < 0 for gain in gained),
        reasons=reason_rows(moved),
        cells=cell_rows(moved, cell_of),
        counts=count_rows(before.counts, after.counts),
        examples=examples_of(moved, asked.examples),
    )
