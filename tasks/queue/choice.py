"""The choice under a budget: by reasons, spread over strata, and a random share with its chance."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.queue.settings import QueueSettings

Floats = NDArray[np.float64]
Places = NDArray[np.int64]


class Scored(NamedTuple):
    """All comparisons that people could see, in their order; a few numbers of each."""

    scores: Floats
    """How strongly the reasons ask for a person."""
    strata: Places
    """Number of the stratum."""
    lots: Floats
    """A number in [0, 1) from the seed: settles what the scores leave open."""
    order: Places
    """Of each stratum, its place among the sorted names of strata."""


class Choice(NamedTuple):
    """Places of the comparisons that become items."""

    asked: Places
    """Chosen by reasons, the strongest first."""
    drawn: Places
    """The random share, in seeded order."""
    chance: float
    """With which each comparison that no reason chose was drawn."""
    repeats: int
    """How many items are left for known answers and repeats."""


def choose(scored: Scored, budget: float, settings: QueueSettings, start: float) -> Choice:
    """The items that a `budget` (share of all comparisons) pays for; `start` in [0, 1) is drawn.

    A budget for all comparisons repeats none of them.
    """
    number = len(scored.scores)
    items = round(budget * number)
    repeats = round(settings.repeats * items) if items < number else 0
    random = min(items - repeats, _at_least_one(settings.random * items))
    asked = _asked(scored, items - repeats - random, settings.concentration)
    drawn, chance = _drawn(scored, asked, items - repeats - len(asked), start)
    return Choice(asked, drawn, chance, repeats)


def _at_least_one(share: float) -> int:
    """`share` as a number: one, if it is anything at all."""
    return max(1, round(share)) if share else 0


def _asked(scored: Scored, number: int, concentration: float) -> Places:
    """The comparisons with the highest scores; no stratum has more than its part of them."""
    wanted = np.lexsort((scored.lots, -scored.scores))
    wanted = wanted[scored.scores[wanted] > 0]
    strata = scored.strata[wanted]
    sizes = np.bincount(scored.strata, minlength=len(scored.order))
    most = np.ceil(concentration * number * sizes / max(1, len(scored.scores)))
    return wanted[_rank_within(strata) < most[strata]][:number]


def _rank_within(strata: Places) -> Places:
    """How many of the same stratum stand before each."""
    order = np.argsort(strata, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(strata[order]) != 0])
    counts = np.diff(np.r_[starts, len(strata)])
    ranks = np.empty(len(strata), np.int64)
    ranks[order] = np.arange(len(strata)) - np.repeat(starts, counts)
    return ranks


def _drawn(scored: Scored, asked: Places, number: int, start: float) -> tuple[Places, float]:
    """A random share of the rest, and the chance of each of them.

    A systematic sample in the order of strata: all have the same chance, and every stratum gets its
    share up to one. Source: Cochran, Sampling Techniques (1977), chapter 8.
    """
    free = np.ones(len(scored.scores), np.bool_)
    free[asked] = False
    rest = np.flatnonzero(free)
    number = min(number, len(rest))
    if not number:
        return rest[:0], 1.0
    line = rest[np.lexsort((scored.lots[rest], scored.order[scored.strata[rest]]))]
    steps = (start + np.arange(number)) * len(rest) / number
    drawn = line[np.minimum(steps.astype(np.int64), len(rest) - 1)]
    return drawn[np.argsort(scored.lots[drawn], kind="stable")], number / len(rest)
