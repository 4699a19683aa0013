"""The figures as text: the table that a run ends with, and docs/trainer-benchmark.md."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

NAMES = {"ours": "this trainer", "trl": "TRL as it comes", "trl_by_length": "TRL by length"}
HEAD = ("set", "trainer", "pairs/s", "distinct response tokens/s", "memory rise, MB", "padding")


def table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table that is aligned for the terminal as well; the first row is its head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def speed_table(sets: Mapping[str, Any]) -> str:
    """Medians of every set and trainer."""
    rows = [HEAD]
    for name, found in sets.items():
        for side, medians in found["medians"].items():
            padding = medians.get("padding_share")
            rows.append(
                (
                    name,
                    NAMES[side],
                    f"{medians['pairs_per_second']:.2f}",
                    f"{medians['distinct_response_tokens_per_second']:.0f}",
                    f"{medians['memory_rise_mb']:.0f}",
                    "" if padding is None else f"{padding:.0%}",
                )
            )
    return table(rows)


def set_table(sets: Mapping[str, Any]) -> str:
    """What the sets look like."""
    shown = {
        "prompts": "prompts",
        "pairs": "pairs",
        "pairs_per_step": "pairs a step",
        "median_prompt_tokens": "tokens of a prompt (median)",
        "median_response_tokens": "of a response",
        "timed_steps": "timed steps",
    }
    rows = [("set", *shown.values(), "largest difference of a loss to TRL's")]
    for name, one in sets.items():
        apart = f"{one['largest_loss_difference_to_trl']:.1e}"
        rows.append((name, *(f"{one['data'][key]:g}" for key in shown), apart))
    return table(rows)


def goal_table(metrics: Mapping[str, Any]) -> str:
    """Every ratio with its goal, met or not."""
    return table([("set", "what", "measured", "goal", ""), *_goal_rows(metrics)])


def _goal_rows(metrics: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, found in metrics.get("sets", {}).items():
        for one in found["goals"]:
            sign = "at least" if one["at_least"] else "at most"
            goal = "" if one["goal"] is None else f"{sign} {one['goal']:g}"
            yield (name, one["what"], f"{one['ratio']:.2f}", goal, _verdict(one["met"]))
    if "trajectory" in metrics:
        found = metrics["trajectory"]
        what = f"largest difference of the loss to TRL's in {found['steps']} steps"
        measured, goal = f"{found['largest_difference']:.1e}", f"at most {found['goal']:g}"
        yield ("trajectory", what, measured, goal, _verdict(found["met"]))
    if "accuracy" in metrics:
        accuracy, loss = (metrics["accuracy"][f"to_{what}"] for what in ("accuracy", "loss"))
        what = f"seconds to {accuracy['target']:.1%} held-out reward accuracy, TRL's / ours"
        yield ("accuracy", what, f"{accuracy['ratio']:.2f}", "", "")
        what = f"seconds to a held-out loss of {loss['target']:.3f}, TRL's / ours"
        yield ("accuracy", what, f"{loss['ratio']:.2f}", "", "")


def _verdict(met: bool | None) -> str:
    return {None: "", True: "met", False: "not met"}[met]


def text(metrics: Mapping[str, Any]) -> str:
    """All tables."""
    parts = [speed_table(metrics["sets"])] if metrics.get("sets") else []
    return "\n\n".join([*parts, goal_table(metrics)])
