"""The table of a comparison of methods, as cells of text and as Markdown."""

from collections.abc import Sequence
from typing import NamedTuple

from tasks.comparing import Compared
from tasks.methods import Measure, MethodRun, Row
from tasks.report.formatting import clean, seconds_shown


class Cells(NamedTuple):
    """A table."""

    title: str
    heads: list[str]
    rows: list[list[str]]


def tables(rows: Sequence[Row]) -> list[Cells]:
    """What the methods reach, and what they took."""
    metrics = list(dict.fromkeys(name for row in rows for name in row.measures))
    reached = Cells(
        "Last policies",
        ["method", "seeds", *metrics],
        [
            [row.name, _seeds(row), *(_measured(row.measures.get(name)) for name in metrics)]
            for row in rows
        ],
    )
    heads = ["rounds", "prompts", "pairs", "calls", "USD", "own time", "found time", "found stages"]
    taken = Cells("A run", ["method", *heads], [[row.name, *_taken(row.runs)] for row in rows])
    return [reached, taken]


def _seeds(row: Row) -> str:
    number = len(row.runs) + len(row.failed)
    return str(number) if not row.failed else f"{len(row.runs)} of {number}"


def _measured(one: Measure | None) -> str:
    if one is None:
        return ""
    spread = sorted(one.by_seed.values())
    shown = f"{one.mean:.3g}"
    if len(spread) > 1:
        shown += f" ({spread[0]:.3g} to {spread[-1]:.3g})"
    return f"{shown} {_difference(one.to_first)}{'*' if one.beyond_chance else ''}".strip()


def _difference(one: Compared | None) -> str:
    if one is None or one.estimate is None:
        return ""
    if one.low is None or one.high is None:
        return f"{one.estimate:+.3g}"
    return f"{one.estimate:+.3g} [{one.low:+.3g}, {one.high:+.3g}]"


def _taken(runs: Sequence[MethodRun]) -> list[str]:
    """Means over seeds."""
    if not runs:
        return [""] * 8
    return [
        *(_number([float(getattr(run, name)) for run in runs]) for name in COUNTS),
        f"{_mean([run.usd for run in runs]):.2f}",
        seconds_shown(_mean([run.seconds for run in runs])),
        seconds_shown(_mean([run.shared_seconds for run in runs])),
        f"{_number([run.reused for run in runs])} of {_number([run.stages for run in runs])}",
    ]


COUNTS = ("rounds", "prompts", "pairs", "calls")


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _number(values: Sequence[float]) -> str:
    return f"{_mean(values):,.1f}".removesuffix(".0")


def notes(rows: Sequence[Row]) -> list[str]:
    """What a reader has to know, and why runs failed."""
    first = rows[0].name
    compared = [m.to_first for row in rows for m in row.measures.values() if m.to_first]
    prompts = sorted({one.n for one in compared})
    said = [
        "A metric is the mean over prompts and seeds of what the last round's policy reaches; in "
        "brackets the lowest and highest seed.",
        f"Then the difference to {first} with its 95 % interval: a paired bootstrap over prompts, "
        "a prompt's value being its mean over seeds. The interval does not hold what other seeds "
        "would have given. A star: beyond chance, all differences of the table together (Holm).",
    ]
    if prompts:
        shown = f"{prompts[0]:,}" if len(prompts) == 1 else f"{prompts[0]:,} to {prompts[-1]:,}"
        said.append(f"Differences are over {shown} prompts that both answered.")
    said.append(
        "Costs are means over seeds. A stage is found if an earlier run of the comparison made it; "
        "its time is then in `found time`. A killed attempt leaves no time."
    )
    said += [
        f"{row.name} was measured last after round {run.measured_round} of {run.rounds - 1}."
        for row in rows
        for run in row.runs[:1]
        if run.measured_round is not None and run.measured_round != run.rounds - 1
    ]
    said += [
        f"{row.name} was measured in none of its {run.rounds} rounds: evaluation.every is more."
        for row in rows
        for run in row.runs[:1]
        if run.measured_round is None
    ]
    failures = [
        f"{row.name}, seed {seed}: {why}" for row in rows for seed, why in row.failed.items()
    ]
    return [*said, *failures]


def as_markdown(title: str, rows: Sequence[Row]) -> str:
    """The whole page."""
    parts = [f"# {_safe(title)}"]
    for table in tables(rows):
        lines = [table.heads, ["---"] * len(table.heads), *table.rows]
        parts.append(f"**{table.title}**")
        parts.append("\n".join(f"| {' | '.join(map(_safe, line))} |" for line in lines))
    parts.append("\n".join(f"- {_safe(one)}" for one in notes(rows)))
    return "\n\n".join(parts) + "\n"


def _safe(text: str) -> str:
    """`text` in a cell of a table: one line, no column of its own."""
    line = " ".join(clean(text).split())
    return line.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")
