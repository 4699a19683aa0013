"""Figures over the rounds of a run, with their intervals: what was measured, and feedback."""

import base64
import math
from collections.abc import Iterable, Sequence
from typing import Any

from tasks.agreement.figures import MEANINGS, QualityFigure
from tasks.ledger.rounds import WHOLE, RoundFacts, interval
from tasks.report.figures import Curve, Drawing, svg

MOST_METRICS = 9
"""Metrics that are drawn."""
MOST_FEEDBACK = 6
"""Figures of feedback that are drawn."""
FEEDBACK = (
    *("order_consistency", "position_bias", "longer_wins", "judge_human_agreement"),
    *("judge_human_kappa", "judge_accuracy", "label_noise", "human_human_agreement", "unparsed"),
)
"""Those that say first whether judges and people can be relied on."""


def metric_drawings(rounds: Sequence[RoundFacts], first: str | None) -> list[Drawing]:
    """The policy of each round beside the SFT model, metric by metric, `first` before the others.

    Nothing for a single round: the table says it all.
    """
    if len(rounds) < 2:
        return []
    names = dict.fromkeys(name for one in rounds[::-1] for name in one.metrics)
    ordered = sorted(names, key=lambda name: name != first)
    drawings = []
    for metric in ordered[:MOST_METRICS]:
        curves = [
            curve
            for who, label in (("policy", "policy"), ("sft", "SFT model"))
            if (curve := _curve(rounds, metric, who, label))
        ]
        if curves:
            legend = [(one.label, one.last) for one in curves]
            drawings.append(Drawing(metric, "", legend, svg(curves, dots=True)))
    return drawings


def _curve(rounds: Sequence[RoundFacts], metric: str, who: str, label: str) -> Curve | None:
    known = [(one.index, report) for one in rounds if (report := one.figure(metric, WHOLE, who))]
    if not known or (who == "sft" and all(one.standard_error is None for _, one in known)):
        return None
    ends = [interval(report) for _, report in known]
    return Curve(
        label=label,
        x=[float(index) for index, _ in known],
        y=[report.value for _, report in known],
        last=known[-1][1].value,
        low=[low for low, _ in ends],
        high=[high for _, high in ends],
    )


def feedback_drawings(rounds: Sequence[RoundFacts]) -> list[Drawing]:
    """What is known of judges and people over the rounds, with intervals."""
    by_key: dict[tuple[str, str, str, str], list[tuple[int, QualityFigure]]] = {}
    for one in rounds:
        for row in one.feedback.figures:
            if row.figure in FEEDBACK and row.estimate is not None:
                key = (row.figure, row.annotator, row.other, row.criterion)
                by_key.setdefault(key, []).append((one.index, row))
    several = [(key, known) for key, known in by_key.items() if len(known) > 1]
    several.sort(key=lambda one: (FEEDBACK.index(one[0][0]), one[0]))
    return [_feedback_drawing(key, known) for key, known in several[:MOST_FEEDBACK]]


def _feedback_drawing(
    key: tuple[str, str, str, str], known: list[tuple[int, QualityFigure]]
) -> Drawing:
    name, annotator, other, _ = key
    values = [row.estimate for _, row in known if row.estimate is not None]
    curve = Curve(
        label="",
        x=[float(index) for index, _ in known],
        y=values,
        last=values[-1],
        low=[_end(row.low, row.estimate) for _, row in known],
        high=[_end(row.high, row.estimate) for _, row in known],
    )
    who = " and ".join(part for part in (annotator, other) if part)
    label = MEANINGS[name].label if name in MEANINGS else name
    return Drawing(f"{who}: {label}", "", [("", values[-1])], svg([curve], dots=True))


def _end(value: float | None, estimate: float | None) -> float:
    return value if value is not None else estimate if estimate is not None else math.nan


def rounds_png(rounds: Sequence[RoundFacts], metrics: Iterable[str]) -> str:
    """Up to three metrics over the rounds as a PNG in base64, for markdown; empty for one round."""
    from tasks.report.figures import Panel, panels_png

    drawn: list[tuple[Any, list[Curve]]] = []
    for metric in list(metrics)[:3]:
        curve = _curve(rounds, metric, "policy", "policy")
        if curve and len(curve.x) > 1:
            drawn.append((Panel(metric, "", ()), [curve]))
    return base64.b64encode(panels_png(drawn, dots=True)).decode() if drawn else ""
