"""Diversity of a round's responses: a few figures for each cell, and a row for each prompt."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from tasks.candidates import Candidate
from tasks.diversity.settings import DiversitySettings
from tasks.diversity.texts import distinct, self_bleu
from tasks.records import Response
from tasks.seeds import uniform_of
from tasks.tables import KEYS, grouped

EVERYONE = ""
"""Stands for all cells together."""
Vectors = Mapping[str, NDArray[np.float64]]
"""Embedding of each response, by id."""
NO_ENCODER = "diversity.embedder names no encoder"
ONE_ANSWER = "no prompt has two responses of it"


@dataclass(frozen=True, kw_only=True, slots=True)
class DiversityFigure:
    """One figure about a cell's responses. Key: (cell, figure)."""

    cell: str
    """Name of the cell; empty for all together."""
    figure: str
    """distinct_1 to distinct_3, near_duplicates (0 to 1), self_bleu (0 to 100), embedding_spread (0
    to 2)."""
    value: float | None
    """None where it is not measurable."""
    n: int
    """Responses or prompts that it rests on."""
    reason: str
    """Why it is not measurable; empty where it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptDiversity:
    """How different the responses to one prompt are. Key: prompt_id."""

    prompt_id: str
    """The prompt."""
    responses: int
    """Its responses."""
    different: int
    """Of these, how many stand for themselves: the others are near-duplicates."""
    distinct_2: float | None
    """Share of different pairs of words in all of them; None if none has two words."""
    self_bleu: float | None
    """Mean BLEU of each against the others (0 to 100), for the prompts drawn."""


KEYS[DiversityFigure] = ("cell", "figure")
KEYS[PromptDiversity] = ("prompt_id",)


def drawn_prompts(
    responses: Sequence[Response], settings: DiversitySettings, seed: int
) -> set[str]:
    """The prompts that the dear figures are measured on."""
    prompts = {row.prompt_id for row in responses}
    order = sorted(prompts, key=lambda name: uniform_of(seed, "diversity", name))
    return set(order[: settings.prompts])


def prompt_rows(
    responses: Sequence[Response], candidates: Mapping[str, Sequence[Candidate]], drawn: set[str]
) -> list[PromptDiversity]:
    """A row for each prompt, by id."""
    return [
        PromptDiversity(
            prompt_id=prompt_id,
            responses=len(rows),
            different=sum(not one.represented_by for one in candidates[prompt_id]),
            distinct_2=distinct([row.text for row in rows], 2),
            self_bleu=self_bleu([row.text for row in rows]) if prompt_id in drawn else None,
        )
        for prompt_id, rows in sorted(grouped(responses).items())
    ]


def cell_figures(
    responses: Sequence[Response],
    candidates: Mapping[str, Sequence[Candidate]],
    drawn: set[str],
    vectors: Vectors | None,
) -> list[DiversityFigure]:
    """The figures of all cells together, then of each."""
    stood_for = {
        one.response_id for members in candidates.values() for one in members if one.represented_by
    }
    ordered = sorted(responses, key=lambda row: (row.prompt_id, row.sample_index, row.cell))
    found: list[DiversityFigure] = []
    for cell, rows in {EVERYONE: ordered, **dict(sorted(grouped(ordered, "cell").items()))}.items():
        few = [row for row in rows if row.prompt_id in drawn]
        for n in (1, 2, 3):
            value = distinct([row.text for row in rows], n)
            found.append(
                _figure(cell, f"distinct_{n}", value, len(rows), "its texts are too short")
            )
        repeated = sum(row.response_id in stood_for for row in rows) / len(rows)
        found.append(_figure(cell, "near_duplicates", repeated, len(rows), ""))
        bleus = _by_prompt(few, lambda some: self_bleu([row.text for row in some]))
        found.append(_mean(cell, "self_bleu", bleus, ONE_ANSWER))
        found.append(_spread(cell, few, vectors))
    return found


def _spread(cell: str, rows: Sequence[Response], vectors: Vectors | None) -> DiversityFigure:
    if vectors is None:
        return _figure(cell, "embedding_spread", None, 0, NO_ENCODER)
    spreads = _by_prompt(
        rows, lambda some: embedding_spread([vectors[row.response_id] for row in some])
    )
    return _mean(cell, "embedding_spread", spreads, ONE_ANSWER)


def embedding_spread(vectors: Sequence[NDArray[np.float64]]) -> float | None:
    """One less the mean cosine of every two vectors, 0 to 2; None for fewer than two."""
    if len(vectors) < 2:
        return None
    stacked = np.stack(vectors).astype(float)
    largest = np.abs(stacked).max(axis=1, keepdims=True)
    scaled = stacked / np.where(largest == 0, 1.0, largest)  # squares of tiny numbers lose digits
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    unit = scaled / np.where(norms == 0, 1.0, norms)
    number = len(unit)
    cosines = (np.square(unit.sum(axis=0)).sum() - np.square(unit).sum()) / (number * (number - 1))
    return float(1 - cosines)


def _by_prompt(
    rows: Sequence[Response], measured: Callable[[Sequence[Response]], float | None]
) -> list[float]:
    """What is measured of each prompt's responses, where it can be."""
    values = (measured(some) for some in grouped(rows).values())
    return [value for value in values if value is not None]


def _mean(cell: str, name: str, values: Sequence[float], reason: str) -> DiversityFigure:
    return _figure(cell, name, fmean(values) if values else None, len(values), reason)


def _figure(cell: str, name: str, value: float | None, n: int, reason: str) -> DiversityFigure:
    return DiversityFigure(
        cell=cell, figure=name, value=value, n=n, reason=reason if value is None else ""
    )
