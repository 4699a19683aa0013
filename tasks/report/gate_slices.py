"""The slices that the gate looked at, as it measured them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tasks.comparing import Compared
from tasks.gate import slices_seen
from tasks.report.feedback import Whisker
from tasks.report.formatting import DASH, figure, signed

_DECIMALS = 1.0
"""A number with as many decimals as a difference is given."""


class GuardedRow(NamedTuple):
    """One guarded slice: policy less reference."""

    name: str
    difference: str
    interval: str
    whisker: Whisker | None
    """None where fewer than two prompts were answered."""
    level: str
    """worse or better where the interval leaves 0 out; else empty."""
    p_value: str
    """Holm-corrected."""
    n: int
    needed: int
    """Prompts that it would take; 0 where there are enough."""
    detectable: str
    """The smallest drop that this many prompts would show."""


def guarded_rows(gate: Mapping[str, Any]) -> list[GuardedRow]:
    """The slice that fell most first; empty for a gate that measured none."""
    slices = slices_seen(gate)
    ends = [abs(end) for one in slices.values() for end in (one.low, one.high) if end is not None]
    reach = max(ends, default=0.0) or 1.0
    return [_row(name, slices[name], reach) for name in by_fall(slices)]


def by_fall(slices: Mapping[str, Compared]) -> list[str]:
    """Names of slices, the one that fell most first, those without an answer last."""

    def fell(name: str) -> tuple[bool, float, str]:
        estimate = slices[name].estimate
        return estimate is None, estimate or 0.0, name

    return sorted(slices, key=fell)


def _row(name: str, one: Compared, reach: float) -> GuardedRow:
    return GuardedRow(
        name=name,
        difference=difference_of(one),
        interval=interval_of(one) or DASH,
        whisker=_whisker(one, reach),
        level=level_of(one),
        p_value=DASH if one.p_worse is None else f"{one.p_worse:.3f}",
        n=one.n,
        needed=0 if one.is_large_enough else one.n_needed,
        detectable=figure(one.minimum_detectable),
    )


def _whisker(one: Compared, reach: float) -> Whisker | None:
    if one.estimate is None or one.low is None or one.high is None:
        return None
    low, middle, high = (
        round(50 + 47 * value / reach, 2) for value in (one.low, one.estimate, one.high)
    )
    return Whisker(low, middle, high, 50.0)


def difference_of(one: Compared) -> str:
    """Policy less reference, signed; a dash without a prompt."""
    return DASH if one.estimate is None else signed(one.estimate, _DECIMALS)


def interval_of(one: Compared) -> str:
    """Both ends of an interval; empty where there is none."""
    if one.low is None or one.high is None:
        return ""
    return f"{signed(one.low, _DECIMALS)} to {signed(one.high, _DECIMALS)}"


def level_of(one: Compared) -> str:
    """Worse or better where the interval leaves 0 out; else empty."""
    if one.low is None or one.high is None:
        return ""
    return "worse" if one.high < 0 else "better" if one.low > 0 else ""
