"""How right the judges are, by the comparisons that people were asked about.

Reasons choose the comparisons that look wrong, so the share of wrong ones among all items says
nothing of the rest. The random share does: each of its items stands for 1 / chance comparisons, an
item that a reason chose for itself alone (Horvitz and Thompson, JASA 47, 1952).
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scipy.special import ndtri

from tasks.agreement.intervals import Estimate, Sampling, not_measurable

NOBODY_ASKED = "people were asked nothing (annotate.budget)"
NO_RANDOM = "people answered no item of the random share (annotate.queue.random)"
NOT_DECIDED = "there is no answered item that the judge decides"
DECIDED = ("a", "b")


class Checked(NamedTuple):
    """One item that people were asked, repeats and known answers left out."""

    prompt_id: str
    random: bool
    """Whether it is of the random share."""
    chance: float
    people: str | None
    """What people say together: a, b or tie; None where nobody answered or they do not decide."""
    judges: Mapping[str, str]
    """What each judge says, both orders taken together, by name."""
    together: str | None
    """What correction makes of the judges without people: a, b or None."""


class Weighed(NamedTuple):
    """An answered item with the number of comparisons that it stands for."""

    checked: Checked
    weight: float


def weighed(items: Sequence[Checked]) -> list[Weighed]:
    """The answered items; each also stands for those of its kind that nobody answered."""
    asked: Counter[bool] = Counter()
    answered: Counter[bool] = Counter()
    for one in items:
        asked[one.random] += 1
        answered[one.random] += one.people is not None
    return [
        Weighed(one, asked[one.random] / answered[one.random] / one.chance)
        for one in items
        if one.people is not None
    ]


def accuracies(items: Sequence[Checked], sampling: Sampling) -> dict[str, Estimate]:
    """The accuracy of each judge over all comparisons that it and people decide, by its name."""
    judges = sorted({name for one in items for name in one.judges})
    return {
        name: _accuracy(items, [one.judges.get(name) for one in items], sampling) for name in judges
    }


def accuracy_together(items: Sequence[Checked], sampling: Sampling) -> Estimate:
    """The accuracy of what correction makes of all judges."""
    return _accuracy(items, [one.together for one in items], sampling)


def label_noise(items: Sequence[Checked], sampling: Sampling) -> Estimate:
    """The share of wrong ones among the judges' decisions that people were not asked to look at.

    By the random share alone: what reasons chose is decided by people, and stands in no pair as a
    judge's label.
    """
    random = [one for one in items if one.random]
    found = _accuracy(random, [one.together for one in random], sampling)
    if found.value is None or found.low is None or found.high is None:
        return found
    return found._replace(value=1 - found.value, low=1 - found.high, high=1 - found.low)


def _accuracy(
    items: Sequence[Checked], outcomes: Sequence[str | None], sampling: Sampling
) -> Estimate:
    if not items:
        return not_measurable(NO_RANDOM)
    if not any(one.random and one.people for one in items):
        return not_measurable(NO_RANDOM)
    said = {id(one): outcome for one, outcome in zip(items, outcomes, strict=True)}
    rows = [
        (one.prompt_id, weight, float(said[id(one)] == one.people))
        for one, weight in weighed(items)
        if one.people in DECIDED and said[id(one)] in DECIDED
    ]
    return weighted_share(rows, sampling)


def weighted_share(rows: Sequence[tuple[str, float, float]], sampling: Sampling) -> Estimate:
    """The weighted mean of values 0 and 1, given as (prompt, weight, value), with its interval.

    Wilson's interval for as many independent values as have the same variance; prompts are the
    clusters. Source: Korn and Graubard, Survey Methodology 24 (1998), with Wilson's limits.
    """
    settings = sampling.settings
    prompts = {prompt for prompt, _, _ in rows}
    if not rows:
        return not_measurable(NOT_DECIDED)
    if len(prompts) < settings.min_prompts:
        few = f"only {len(prompts)} prompts; agreement.min_prompts is {settings.min_prompts}"
        return not_measurable(few, len(rows), len(prompts))
    total = math.fsum(weight for _, weight, _ in rows)
    value = math.fsum(weight * one for _, weight, one in rows) / total
    low, high = _wilson(value, _effective(rows, value, total), settings.confidence)
    return Estimate(value, low, high, len(rows), len(prompts))


def _effective(rows: Sequence[tuple[str, float, float]], value: float, total: float) -> float:
    """How many independent values of equal weight would tell as much."""
    kish = total**2 / math.fsum(weight**2 for _, weight, _ in rows)
    clusters: dict[str, float] = {}
    for prompt, weight, one in rows:
        clusters[prompt] = clusters.get(prompt, 0.0) + weight * (one - value) / total
    few = len(clusters) / (len(clusters) - 1) if len(clusters) > 1 else 1.0
    variance = few * math.fsum(one**2 for one in clusters.values())
    return min(kish, value * (1 - value) / variance) if variance else kish


def _wilson(value: float, number: float, confidence: float) -> tuple[float, float]:
    """Source: Wilson, JASA 22 (1927); `number` need not be whole."""
    z = float(ndtri(0.5 + confidence / 2))
    centre = (value + z**2 / (2 * number)) / (1 + z**2 / number)
    spread = z / (1 + z**2 / number)
    half = spread * math.sqrt(value * (1 - value) / number + z**2 / (4 * number**2))
    return max(0.0, centre - half), min(1.0, centre + half)
