"""How the study's page writes names, shares, differences and tables."""

from collections.abc import Iterable, Mapping
from typing import Any

START = "the model it began as"


def title_of(name: str, plan: Mapping[str, Any]) -> str:
    """A variant in words; the main one stands out."""
    title = START if name == "sft" else plan["titles"].get(name, name.replace("_", " "))
    return f"**{title}**" if name == plan["main"] else str(title)


def points(one: Mapping[str, Any] | None) -> str:
    """`86.0 [84.1, 87.9]`, or - where there is nothing."""
    if one is None:
        return "-"
    return f"{100 * one['mean']:.1f} [{100 * one['low']:.1f}, {100 * one['high']:.1f}]"


def signed(one: Mapping[str, Any]) -> str:
    """`+7.5 [+3.9, +11.0]`."""
    return f"{100 * one['mean']:+.1f} [{100 * one['low']:+.1f}, {100 * one['high']:+.1f}]"


def table(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    titles = list(head)
    ruled = [titles, ["---"] * len(titles), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in ruled)
