"""The forms of the reports. Whatever models or people wrote is escaped in all of them."""

import base64
import json
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
from tasks.report.figures import training_drawings, training_png
from tasks.report.formatting import (
    DASH,
    clean,
    code_span,
    count,
    fence,
    figure,
    seconds_shown,
    share,
    short,
    shorten,
    signed,
    usd,
)
from tasks.report.funnel import dropped, funnel
from tasks.report.gate_slices import guarded_rows
from tasks.report.headline import headline
from tasks.report.lineage_graph import stage_graph
from tasks.report.matrix_map import by_strength, matrix_map
from tasks.report.measurements import evaluation

MARKDOWN_LIMIT = 180_000
"""Bytes that the markdown form never exceeds: Prefect's server stalls on large artifacts."""
SECTIONS = (
    *(("evaluation", "Evaluation"), ("movements", "Movements"), ("matrix", "Matrix")),
    *(("funnel", "Funnel"), ("dropped", "Dropped"), ("correction", "Correction")),
    *(("feedback", "Feedback quality"), ("diversity", "Diversity"), ("training", "Training")),
    *(("samples", "Pairs"), ("lineage", "Lineage")),
)
"""Of the page of a round, in its order: did it get better, why, and what was it made of."""


def plain_json(value: Any) -> str:
    """A setting's value on one line."""
    return DASH if value is None else json.dumps(value, ensure_ascii=False)


_FILTERS = (
    *(clean, code_span, count, fence, figure, share, short, shorten, signed, in_a_cell),
    *(plain_json, seconds_shown, usd),
)


@cache
def environment(package: str = "tasks.report") -> Environment:
    """The templates in the folder of `package`, escaping whatever they are given."""
    made = Environment(
        loader=PackageLoader(package, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update({function.__name__: function for function in _FILTERS})
    return made


def html(data: RoundData, *, linked: bool = True) -> str:
    """A round as one page that needs no other file, no network and no script.

    `linked` says whether the page of the whole run lies where it is beside the rounds of a store.
    """
    return (
        environment()
        .get_template("round.html.j2")
        .render(
            **_shared(data),
            drawings=training_drawings(data.steps),
            excerpts=excerpts(data),
            lineage_graph=stage_graph(
                data.lineage.get("artifacts") or {}, str(data.gate.get("outcome", "undecided"))
            ),
            sections=SECTIONS,
            linked=linked,
        )
    )


def markdown(data: RoundData) -> str:
    """The small form for a Prefect artifact, at most `MARKDOWN_LIMIT` bytes.

    The curves are one PNG in a data URI. If the text is too long, it loses its texts first,
    then rows of its tables, then the picture.
    """
    shared = _shared(data)
    picture = training_png(data.steps)
    image = base64.b64encode(picture).decode() if picture else ""
    template = environment().get_template("round.md.j2")
    for num_texts, num_rows, shown in ((2, 40, image), (0, 40, image), (0, 10, image)):
        some = {"excerpts": excerpts(data, num_texts), "texts": num_texts, "most": num_rows}
        text = template.render(**shared, **some, image=shown)
        if len(text.encode()) <= MARKDOWN_LIMIT:
            return text
    return template.render(**shared, image="", excerpts=[], texts=0, most=10)


def _shared(data: RoundData) -> dict[str, Any]:
    """What both templates show."""
    table, corrected, cells = evaluation(data), correction(data), cell_rows(data)
    return {
        "data": data,
        "headline": headline(data, table, corrected),
        "funnel": funnel(data),
        "dropped": dropped(data),
        "cells": cells,
        "matrix": matrix_map(data.matches, data.pair_cells, by_strength(data.cells)),
        "movements": data.movements,
        "guarded": guarded_rows(data.gate),
        "contested": guarded_rows(data.contest),
        "feedback": feedback_tables(data),
        "diversity": diversity_table(data, cells),
        "correction": corrected,
        "deciders": DECIDERS,
        "evaluation": table,
        "training": _training_facts(data.steps),
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
