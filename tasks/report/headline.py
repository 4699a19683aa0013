"""The round in plain words and a few figures."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tasks.report.corrections import Correction
from tasks.report.data import RoundData
from tasks.report.formatting import count, figure, share
from tasks.report.funnel import used_pairs
from tasks.report.measurements import Evaluation, main_row

_OUTCOMES = {
    "promoted": ("Promoted", "The trained policy becomes the next reference."),
    "inconclusive": (
        "Promoted, flagged as inconclusive",
        "The trained policy becomes the next reference, but a guarded slice is too small to tell "
        "whether it got worse there.",
    ),
    "refused": (
        "Refused",
        "The former reference stays: the trained policy is worse where it must not be.",
    ),
}
_UNDECIDED = ("Not decided", "The gate has not decided about this round.")


def outcome_words(outcome: str) -> str:
    """What the gate said, for people."""
    return _OUTCOMES.get(outcome, _UNDECIDED)[0]


class KeyFigure(NamedTuple):
    """One number that sums up a part of the round."""

    label: str
    value: str
    remark: str


class Headline(NamedTuple):
    """What a reader should know first."""

    outcome: str
    """promoted, inconclusive, refused or undecided: gives the mark its form."""
    title: str
    sentence: str
    reasons: list[str]
    needed: list[tuple[str, int]]
    """Slices that were too small, and how many prompts each would take."""
    decided: str
    """What a person decided afterwards; empty where nobody did."""
    figures: list[KeyFigure]


def decided(decisions: Sequence[Mapping[str, Any]]) -> str:
    """What the last person decided about a round, in words; empty where nobody did."""
    if not decisions:
        return ""
    last = decisions[-1]
    return f"{last.get('action')} by {last.get('by')}: {last.get('reason')}"


def headline(data: RoundData, table: Evaluation, corrected: Correction) -> Headline:
    """The gate's outcome, its reasons, and the key figures of the round."""
    given = data.gate.get("outcome")
    outcome = given if given in _OUTCOMES else "undecided"
    title, sentence = _OUTCOMES.get(outcome, _UNDECIDED)
    needed: dict[str, Any] = data.gate.get("n_needed") or {}
    return Headline(
        outcome=outcome,
        title=title,
        sentence=sentence,
        reasons=[str(reason) for reason in data.gate.get("reasons") or []],
        needed=[(str(name), int(number)) for name, number in sorted(needed.items())],
        decided=decided(data.decisions),
        figures=_figures(data, table, corrected),
    )


def _figures(data: RoundData, table: Evaluation, corrected: Correction) -> list[KeyFigure]:
    labelled = bool(data.tally.labels)
    prompts = data.tally.labelled_prompts if labelled else data.tally.paired_prompts
    pairs = KeyFigure(
        "labels trained on" if labelled else "pairs trained on",
        count(used_pairs(data)),
        f"from {count(prompts)} prompts",
    )
    swapped = KeyFigure(
        "of the decided order reversed",
        share(corrected.swapped_share),
        f"people overruled a judge in {count(corrected.overruled)} of "
        f"{count(corrected.rechecked)} rechecks",
    )
    return [*_measured(table), pairs, swapped, *_trained(data)]


def _measured(table: Evaluation) -> list[KeyFigure]:
    row = main_row(table)
    if row is None or row.cells[0] is None:
        return []
    others = [
        f"{name} {figure(cell.value)}"
        for name, cell in zip(table.columns[1:], row.cells[1:], strict=True)
        if cell is not None
    ]
    error = row.cells[0].standard_error
    value = figure(row.cells[0].value) + (
        f" ± {figure(error, like=row.cells[0].value)}" if error is not None else ""
    )
    return [KeyFigure(row.metric, value, ", ".join(others))]


def _trained(data: RoundData) -> list[KeyFigure]:
    last = data.steps[-1] if data.steps else {}
    if "clipped_both" not in last:
        return []
    return [
        KeyFigure(
            "of pairs clipped on both sides at the end",
            share(last["clipped_both"]),
            f"after {count(len(data.steps))} steps",
        )
    ]
