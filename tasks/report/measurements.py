"""The evaluation as a table: policy beside reference and SFT anchor, metric by metric."""

from typing import NamedTuple

from tasks.records import EvalReport
from tasks.report.data import RoundData
from tasks.report.formatting import short

ORDER = ("policy", "reference", "sft")
"""The columns, as far as they were measured; other checkpoints follow."""

WHOLE = "all"
"""The slice that is not a slice."""

_SIGMAS = 1.96


class Mark(NamedTuple):
    """Where a measurement lies on its metric's scale, in percent of the width."""

    series: int
    """Index of the column, which gives form and colour."""
    low: float
    x: float
    high: float


class EvalRow(NamedTuple):
    """One metric on one slice."""

    metric: str
    slice: str
    cells: list[EvalReport | None]
    """One measurement a column."""
    difference: float | None
    """Policy less baseline."""
    marks: list[Mark]
    n: int


class Evaluation(NamedTuple):
    """The evaluation table."""

    columns: list[str]
    baseline: str
    """What the policy is compared with: the reference, or the SFT model where it is the reference,
    as it is in the first round."""
    metrics: dict[str, list[EvalRow]]
    """By metric: the whole first, then the slices by name."""


def evaluation(data: RoundData) -> Evaluation:
    """All measurements of the round; metrics in order of first appearance."""
    values: dict[str, dict[str, dict[str, EvalReport]]] = {}
    for report in data.evaluation:
        name = data.names.get(report.checkpoint, short(report.checkpoint))
        values.setdefault(report.metric, {}).setdefault(report.slice, {})[name] = report
    seen = {name for slices in values.values() for row in slices.values() for name in row}
    columns = [*(name for name in ORDER if name in seen), *sorted(seen - set(ORDER))]
    baseline = "sft" if "sft" in seen and "reference" not in seen else "reference"
    return Evaluation(
        columns=columns,
        baseline=baseline,
        metrics={name: _rows(name, slices, columns, baseline) for name, slices in values.items()},
    )


def main_row(table: Evaluation) -> EvalRow | None:
    """The first metric over the whole: what the headline speaks of."""
    for rows in table.metrics.values():
        if rows[0].slice == WHOLE and table.columns[:1] == ["policy"] and rows[0].cells[0]:
            return rows[0]
    return None


def _rows(
    metric: str, slices: dict[str, dict[str, EvalReport]], columns: list[str], baseline: str
) -> list[EvalRow]:
    low, high = _scale([report for row in slices.values() for report in row.values()])
    rows = []
    for name in sorted(slices, key=lambda name: (name != WHOLE, name)):
        cells = [slices[name].get(column) for column in columns]
        marks = [_mark(i, cell, low, high) for i, cell in enumerate(cells) if cell is not None]
        rows.append(
            EvalRow(
                metric=metric,
                slice=name,
                cells=cells,
                difference=_difference(slices[name], baseline),
                marks=marks,
                n=max(cell.n for cell in cells if cell is not None),
            )
        )
    return rows


def _difference(row: dict[str, EvalReport], baseline: str) -> float | None:
    if "policy" not in row or baseline not in row:
        return None
    return row["policy"].value - row[baseline].value


def _scale(reports: list[EvalReport]) -> tuple[float, float]:
    """The ends of a metric's scale: all its intervals, and a little room."""
    low = min(report.value - _width(report) for report in reports)
    high = max(report.value + _width(report) for report in reports)
    room = 0.06 * (high - low) or 0.5
    return low - room, high + room


def _mark(series: int, report: EvalReport, low: float, high: float) -> Mark:
    ends = (report.value - _width(report), report.value, report.value + _width(report))
    return Mark(series, *(round(100 * (end - low) / (high - low), 2) for end in ends))


def _width(report: EvalReport) -> float:
    return _SIGMAS * (report.standard_error or 0.0)
