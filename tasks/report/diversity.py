"""How different the responses were, by cell and by prompt; which cells are asked no more."""

from statistics import median
from typing import NamedTuple

from tasks.diversity.measure import EVERYONE, DiversityFigure
from tasks.report.cells import CellRow
from tasks.report.data import RoundData
from tasks.report.formatting import clean, figure, share, shorten
from tasks.tables import grouped

COLUMNS = {
    "distinct_1": ("Distinct words", True),
    "distinct_2": ("Distinct pairs", True),
    "distinct_3": ("Distinct triples", True),
    "near_duplicates": ("Near-duplicates", True),
    "self_bleu": ("Self-BLEU", False),
    "embedding_spread": ("Embedding spread", False),
}
"""Figures by name, in the order of the table: heading, and whether it is a share."""


class DiversityRow(NamedTuple):
    """One cell, or all of them."""

    name: str
    """Empty for all together."""
    responses: int
    won: float | None
    """Share of its decided comparisons with other cells that it won."""
    values: list[str]
    """In the order of the headings."""


class DullPrompt(NamedTuple):
    """A prompt whose responses hardly differ."""

    text: str
    responses: int
    different: int


class DiversityTable(NamedTuple):
    """What the section shows."""

    headings: list[str]
    rows: list[DiversityRow]
    notes: list[str]
    """What could not be measured, and why."""
    prompts: int
    one_answer: int
    """Prompts whose responses are all near-duplicates of one."""
    median_different: float
    """Median share of a prompt's responses that stand for themselves."""
    dull: list[DullPrompt]
    """The prompts whose responses differ least."""


def diversity_table(data: RoundData, cells: list[CellRow]) -> DiversityTable:
    """The table of cells, all together first, and what is said of prompts."""
    by_cell = grouped(data.diversity, "cell")
    shown = [name for name in COLUMNS if any(_known(rows, name) for rows in by_cell.values())]
    different = data.tally.different
    return DiversityTable(
        headings=[COLUMNS[name][0] for name in shown],
        rows=[_row(name, rows, shown, cells) for name, rows in by_cell.items()],
        notes=_notes(by_cell.get(EVERYONE, []), shown),
        prompts=different.total(),
        one_answer=data.tally.one_answer,
        median_different=median(sorted(different.elements()) or [0.0]),
        dull=[
            DullPrompt(
                text=shorten(clean(prompt.messages[-1]["content"]), 200),
                responses=one.responses,
                different=one.different,
            )
            for _, one, prompt in data.tally.dull
        ],
    )


def _known(rows: list[DiversityFigure], name: str) -> bool:
    return any(one.figure == name and one.value is not None for one in rows)


def _row(
    name: str, rows: list[DiversityFigure], shown: list[str], cells: list[CellRow]
) -> DiversityRow:
    values = {one.figure: one.value for one in rows}
    own = next((one for one in cells if one.name == name), None)
    return DiversityRow(
        name=name,
        responses=max(one.n for one in rows),
        won=own.win_share if own else None,
        values=[(share if COLUMNS[one][1] else figure)(values.get(one)) for one in shown],
    )


def _notes(everyone: list[DiversityFigure], shown: list[str]) -> list[str]:
    return [
        f"{COLUMNS[one.figure][0]}: not measured, {one.reason}"
        for one in everyone
        if one.figure in COLUMNS and one.figure not in shown and one.reason
    ]
