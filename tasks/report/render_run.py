"""The page of a whole run, and its small form for Prefect."""

from typing import Any

from tasks.report.formatting import count, figure
from tasks.report.lineage_graph import run_graph
from tasks.report.matrix_map import by_strength, matrix_map
from tasks.report.over_rounds import feedback_drawings, metric_drawings, rounds_png
from tasks.report.render import MARKDOWN_LIMIT, environment
from tasks.report.run_data import (
    SHOWN_SLICES,
    RunData,
    cost_table,
    glance_rows,
    health_table,
    run_figures,
    slice_rows,
    time_table,
    wins_table,
)

SECTIONS = (
    *(("glance", "Rounds at a glance"), ("lineage", "Lineage"), ("matrix", "Matrix")),
    *(("feedback", "Feedback quality"), ("training", "Training health")),
    *(("cost", "Time and cost"), ("settings", "Settings")),
)


def run_html(data: RunData) -> str:
    """All rounds at a glance, as one page without network or script."""
    return (
        environment()
        .get_template("run.html.j2")
        .render(
            **_shared(data),
            drawings=metric_drawings(data.rounds, data.metric),
            feedback=feedback_drawings(data.rounds),
            lineage_graph=run_graph(data.rounds, data.metric),
            slices=slice_rows(data),
            most_slices=SHOWN_SLICES,
            wins=wins_table(data),
            health=health_table(data),
            times=time_table(data),
            costs=cost_table(data),
            sections=SECTIONS,
        )
    )


def run_markdown(data: RunData) -> str:
    """The small form for a Prefect artifact; older rounds give way where it would be too long."""
    template = environment().get_template("run.md.j2")
    metrics = [data.metric] if data.metric else []
    metrics += [name for name in data.rounds[-1].metrics if name != data.metric]
    image, most = rounds_png(data.rounds, metrics), len(data.rounds)
    while True:
        text = template.render(**_shared(data), image=image, most=most)
        if len(text.encode()) <= MARKDOWN_LIMIT or most <= 1:
            return text
        most //= 2


def _shared(data: RunData) -> dict[str, Any]:
    newest = data.rounds[-1]
    cells = [
        {"name": name, "strength": cell.get("strength", 0)}
        for name, cell in newest.config.get("matrix", {}).items()
    ]
    return {
        "data": data,
        "newest": newest,
        "lead": _lead(data),
        "figures": run_figures(data),
        "glance": glance_rows(data),
        "matrix": matrix_map(newest.matches, newest.pair_cells, by_strength(cells)),
    }


def _lead(data: RunData) -> str:
    """The run in one sentence."""
    number, moved = len(data.rounds), sum(one.outcome != "refused" for one in data.rounds)
    rounds = f"{count(number)} round{'s' if number != 1 else ''}"
    said = f"{rounds}; the reference moved in {'all' if moved == number else count(moved)} of them"
    ends = (data.rounds[0], data.rounds[-1])
    first, last = (one.figure(data.metric) if data.metric else None for one in ends)
    if number > 1 and first and last:
        said += f". {data.metric} went from {figure(first.value)} to {figure(last.value)}"
    return f"{said}."
