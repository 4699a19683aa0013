"""The slices that the gate looked at, as it measured them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tasks.report.feedback import Whisker
from tasks.report.formatting import figure, signed

_DECIMALS = 1.0
"""A number with as many decimals as a difference is given."""


class GuardedRow(NamedTuple):
    """One guarded slice: policy less reference."""

    name: str
    difference: str
    interval: str
    whisker: Whisker
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
    slices: Mapping[str, Mapping[str, Any]] = gate.get("slices") or {}
    reach = max(
        (abs(float(one[end])) for one in slices.values() for end in ("low", "high")), default=0.0
    )
    names = sorted(slices, key=lambda name: (float(slices[name]["estimate"]), name))
    return [_row(name, slices[name], reach or 1.0) for name in names]


def _row(name: str, one: Mapping[str, Any], reach: float) -> GuardedRow:
    estimate, low, high = (float(one[key]) for key in ("estimate", "low", "high"))

    def at(value: float) -> float:
        return round(50 + 47 * value / reach, 2)

    n, needed = int(one["n"]), int(one.get("n_needed") or 0)
    return GuardedRow(
        name=name,
        difference=signed(estimate, _DECIMALS),
        interval=f"{signed(low, _DECIMALS)} to {signed(high, _DECIMALS)}",
        whisker=Whisker(at(low), at(estimate), at(high), 50.0),
        level=level_of(low, high),
        p_value=figure(one.get("adjusted_p")),
        n=n,
        needed=needed if needed > n else 0,
        detectable=figure(one.get("minimum_detectable")),
    )


def level_of(low: float, high: float) -> str:
    """Worse or better where an interval leaves 0 out; else empty."""
    return "worse" if high < 0 else "better" if low > 0 else ""
