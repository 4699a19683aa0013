"""The two forms of the report. Whatever models or people wrote is escaped in both."""

import base64
import math
from functools import cache
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from tasks.report.cells import cell_rows
from tasks.report.corrections import DECIDERS, correction
from tasks.report.data import RoundData
from tasks.report.diversity import diversity_table
from tasks.report.excerpts import excerpts
from tasks.report.feedback import feedback_tables, in_a_cell
from tasks.report.figures import history_drawings, training_drawings, training_png
from tasks.report.formatting import (
    clean,
    code_span,
    count,
    fence,
    figure,
    share,
    short,
    shorten,
    signed,
)
from tasks.report.funnel import dropped, funnel
from tasks.report.headline import headline
from tasks.report.measurements import evaluation

MARKDOWN_LIMIT = 180_000
"""Bytes that the markdown form never exceeds: Prefect's server stalls on large artifacts."""

_FILTERS = (clean, code_span, count, fence, figure, share, short, shorten, signed, in_a_cell)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tasks.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({function.__name__: function for function in _FILTERS})
    return environment


def html(data: RoundData) -> str:
    """The whole report as one page that needs no other file, no network and no script."""
    return (
        _environment()
        .get_template("round.html.j2")
        .render(
            **_shared(data),
            drawings=training_drawings(data.steps),
            history_drawings=history_drawings(data.history),
            excerpts=excerpts(data, 10),
        )
    )


def markdown(data: RoundData) -> str:
    """The small form for a Prefect artifact, at most `MARKDOWN_LIMIT` bytes.

    The curves are one PNG in a data URI. If the text is too long, it loses its excerpts first,
    then rows of its tables, then the picture.
    """
    shared = _shared(data)
    picture = training_png(data.steps)
    image = base64.b64encode(picture).decode() if picture else ""
    template = _environment().get_template("round.md.j2")
    for num_excerpts, num_rows, shown in ((4, 40, image), (0, 40, image), (0, 10, image)):
        text = template.render(
            **shared, image=shown, excerpts=excerpts(data, num_excerpts), most=num_rows
        )
        if len(text.encode()) <= MARKDOWN_LIMIT:
            return text
    return template.render(**shared, image="", excerpts=[], most=10)


def _shared(data: RoundData) -> dict[str, Any]:
    """What both templates show."""
    table, corrected, cells = evaluation(data), correction(data), cell_rows(data)
    return {
        "data": data,
        "headline": headline(data, table, corrected),
        "funnel": funnel(data),
        "dropped": dropped(data),
        "cells": cells,
        "feedback": feedback_tables(data),
        "diversity": diversity_table(data, cells),
        "correction": corrected,
        "deciders": DECIDERS,
        "evaluation": table,
        "training": _training_facts(data.steps),
        "history_metrics": _history_metrics(data.history),
        "history": sorted(data.history, key=lambda row: row["round_index"]),
    }


def _training_facts(steps: list[dict[str, float]]) -> dict[str, float]:
    """Figures of the training that need no curve, as far as the steps report them."""
    facts: dict[str, float] = {}
    for key, summary in (
        ("learning_rate", np.max),
        ("gradient_norm", np.median),
        ("tokens_per_second", np.median),
    ):
        values = [step[key] for step in steps if math.isfinite(step.get(key, math.nan))]
        if values:
            facts[key] = float(summary(values))
    return facts


def _history_metrics(history: list[dict[str, float]]) -> list[str]:
    return list(dict.fromkeys(key for row in history for key in row if key != "round_index"))
