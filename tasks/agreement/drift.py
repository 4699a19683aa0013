"""Whether a figure has changed since an earlier round, beyond chance."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from scipy.special import ndtr, ndtri

from tasks.agreement.figures import QualityFigure
from tasks.statistics import holm


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """The change of one figure from an earlier round to this one."""

    annotator: str
    """As in QualityFigure."""
    other: str
    """As in QualityFigure."""
    criterion: str
    """As in QualityFigure."""
    figure: str
    """As in QualityFigure."""
    since: int
    """The earlier round."""
    before: float
    """The estimate there."""
    difference: float
    """This round's estimate less that."""
    low: float
    """Lower end of the interval of the difference."""
    high: float
    """Upper end of the interval of the difference."""
    beyond_chance: bool
    """Whether it stands after Holm's correction over all figures compared with that round."""
    same_judge: bool
    """Whether what gave the opinions (model, template, settings) is the same."""


class _Difference(NamedTuple):
    value: float
    low: float
    high: float
    p_value: float


def drift(
    now: Sequence[QualityFigure],
    earlier: Mapping[int, Sequence[QualityFigure]],
    confidence: float,
) -> list[Drift]:
    """The changes of every measured figure since the first and the last of the `earlier` rounds.

    The last round shows a jump, the first one a creep. `earlier` is by round index.
    """
    found: list[Drift] = []
    for since in sorted({min(earlier), max(earlier)} if earlier else ()):
        found += _since(since, now, earlier[since], confidence)
    return found


def _since(
    since: int,
    now: Iterable[QualityFigure],
    before: Iterable[QualityFigure],
    confidence: float,
) -> list[Drift]:
    known = {_key(one): one for one in before}
    pairs = [(one, known[_key(one)]) for one in now if _key(one) in known]
    differences = {
        _key(one): (one, old, found)
        for one, old in pairs
        if (found := _difference(one, old, confidence)) is not None
    }
    p_values = {"\n".join(key): found.p_value for key, (*_, found) in differences.items()}
    changed = set(holm(p_values, 1 - confidence))
    return [
        Drift(
            annotator=one.annotator,
            other=one.other,
            criterion=one.criterion,
            figure=one.figure,
            since=since,
            before=old.estimate or 0.0,
            difference=found.value,
            low=found.low,
            high=found.high,
            beyond_chance="\n".join(key) in changed,
            same_judge=one.version == old.version,
        )
        for key, (one, old, found) in differences.items()
    ]


def _key(one: QualityFigure) -> tuple[str, str, str, str]:
    return one.annotator, one.other, one.criterion, one.figure


def _difference(one: QualityFigure, old: QualityFigure, confidence: float) -> _Difference | None:
    """The difference of two independent figures with its interval; rounds have other prompts.

    Made of the two intervals, so that it is lopsided where they are. Source: Zou and Donner,
    Statistics in Medicine 27 (2008), equation 3. None where one of them was not measurable.
    """
    ends = (one.estimate, one.low, one.high, old.estimate, old.low, old.high)
    if None in ends:
        return None
    value, low, high, before, before_low, before_high = (float(end or 0.0) for end in ends)
    change = value - before
    below = math.hypot(value - low, before_high - before)
    above = math.hypot(high - value, before - before_low)
    towards_zero = below if change > 0 else above
    z = float(ndtri(0.5 + confidence / 2))
    if towards_zero:
        p_value = 2 * float(ndtr(-z * abs(change) / towards_zero))
    else:
        p_value = 0.0 if change else 1.0
    return _Difference(change, change - below, change + above, p_value)
