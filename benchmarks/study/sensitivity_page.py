"""What the page says of the sensitivity study."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.study.writing import signed, table

FIGURE = "images/sensitivity.svg"
"""Beside the page."""


def sensitivity_blocks(metrics: Mapping[str, Any]) -> Iterator[str]:
    """The figure, what it says, and which setting is to be the default."""
    plan, choice = metrics["plan"], metrics["choice"]
    yield f"![Shares by bound, beta and length of training]({FIGURE})"
    measured = len(metrics["variants"])
    yield (
        f"{measured} settings, {len(plan['seeds'])} seeds each. The rule was fixed beforehand: the "
        f"default, `{choice['default']}`, stands unless a setting with as many steps is better in "
        f"*{choice['column']}* at 5 % for all of them together."
    )
    if choice["better"]:
        better = ", ".join(f"`{one}`" for one in choice["better"])
        yield f"Better are {better}; the default is to be `{choice['chosen']}`, the best of them."
    else:
        yield "None is better: the default stands."
    yield from worse_settings(metrics)
    yield clipped_table(metrics)


def worse_settings(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Which settings the default is better than, and how much could have been told."""
    for column, differences in metrics["differences"].items():
        settings = {name: one for name, one in differences.items() if name != "sft"}
        worse = {name: one for name, one in settings.items() if one["verdict"] == "better"}
        listed = ", ".join(f"`{name}` ({signed(one)})" for name, one in worse.items())
        open_ = [one["detectable"] for one in settings.values() if one["verdict"] == "unknown"]
        lines = [f"- {column}: the default is better than {listed or 'none of them'}."]
        if open_:
            lines.append(
                f"- {column}: of {len(open_)} settings it cannot be told; differences of "
                f"{100 * min(open_):.1f} to {100 * max(open_):.1f} would have been."
            )
        yield "\n".join(lines)


def clipped_table(metrics: Mapping[str, Any]) -> str:
    """How many pairs were past a bound at the end of training, by setting."""
    names = ("clipped_chosen", "clipped_rejected", "clipped_both", "margin")
    lines = []
    for name, one in metrics["variants"].items():
        last = one["training"][-1]
        lines.append([f"`{name}`", *(f"{last[n]:.3f}" if n in last else "-" for n in names)])
    return table(["in the last tenth of the steps", *names], lines)
