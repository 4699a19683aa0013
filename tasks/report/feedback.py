"""How good the round's feedback was: each judge's biases, agreement, and what changed."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from tasks.agreement.drift import Drift
from tasks.agreement.figures import MEANINGS, OF_ONE, OF_PEOPLE, Meaning, QualityFigure
from tasks.report.data import RoundData
from tasks.report.formatting import MINUS, count, figure, share, signed
from tasks.tables import grouped

_SCALES = {
    "position_bias": (-0.5, 0.5, 0.0),
    "self_preference": (-1.0, 1.0, 0.0),
    "length_effect": (-3.0, 3.0, 0.0),
    "longer_wins": (0.0, 1.0, 0.5),
    "human_position_bias": (-0.5, 0.5, 0.0),
    "human_length_effect": (-3.0, 3.0, 0.0),
    "human_longer_wins": (0.0, 1.0, 0.5),
    "human_seconds": (0.0, 180.0, None),
}
_SHARES, _COEFFICIENTS = (0.0, 1.0, None), (-1.0, 1.0, 0.0)
_SIGNED = (
    *("position_bias", "self_preference", "length_effect"),
    *("human_position_bias", "human_length_effect"),
)
_OVERALL = "overall"


class Whisker(NamedTuple):
    """An interval on its scale, in percent of the width."""

    low: float
    x: float
    high: float
    zero: float | None
    """Where no bias is; None where nothing marks it."""


class Measure(NamedTuple):
    """One figure as a line of the table."""

    label: str
    text: str
    value: str
    interval: str
    whisker: Whisker | None
    n: int
    change: str
    """The difference to the last round in which it was measured, with its interval."""
    changed: bool
    """Whether that is beyond chance."""
    reason: str


class JudgeRows(NamedTuple):
    """The figures of one judge or person under one criterion."""

    name: str
    criterion: str
    """Empty where it is the usual one."""
    measures: list[Measure]


class AgreementRow(NamedTuple):
    """Two annotators, or all of a kind."""

    name: str
    measures: dict[str, Measure]
    """By agreement, kappa, alpha."""
    n: int
    reason: str


class FeedbackTables(NamedTuple):
    """What the section shows."""

    judges: list[JudgeRows]
    people: list[JudgeRows]
    """All people together, and each who answered enough."""
    agreement: list[AgreementRow]
    changes: list[str]
    """In words: what changed beyond chance since the first and the last round."""
    stopped: list[str]
    """What floors and ceilings end the round for."""
    warned: list[str]
    """What floors and ceilings object to without ending it."""


def feedback_tables(data: RoundData) -> FeedbackTables:
    """The tables of the round's feedback, judges by name."""
    known = data.feedback
    last = max((one.since for one in known.drift), default=None)
    changes = {_key(one): one for one in known.drift if one.since == last}
    return FeedbackTables(
        judges=_of_one(OF_ONE, known.figures, changes),
        people=_of_one(OF_PEOPLE, known.figures, changes),
        agreement=_agreement(known.figures, changes),
        changes=in_words(known.drift),
        stopped=[one.sentence for one in known.breaches if one.stops],
        warned=[one.sentence for one in known.breaches if not one.stops],
    )


Key = tuple[str, str, str, str]


def _key(one: QualityFigure | Drift) -> Key:
    return one.annotator, one.other, one.criterion, one.figure


def _of_one(
    names: Collection[str], figures: list[QualityFigure], changes: dict[Key, Drift]
) -> list[JudgeRows]:
    """The figures of these names, annotator by annotator."""
    own = [one for one in figures if one.figure in names]
    return [
        JudgeRows(name, _about(criterion), [_measure(one, changes) for one in rows])
        for name, by_judge in sorted(grouped(own, "annotator").items())
        for criterion, rows in grouped(by_judge, "criterion").items()
    ]


def _agreement(figures: list[QualityFigure], changes: dict[Key, Drift]) -> list[AgreementRow]:
    """A row for each two annotators: judges with people first, then judges, then people."""
    relations = ("judge_human", "judge_judge", "human_human")
    rows: dict[tuple[int, str, str, str], dict[str, QualityFigure]] = {}
    for one in figures:
        relation, _, measure = one.figure.rpartition("_")
        if relation in relations:
            place = relations.index(relation)
            rows.setdefault((place, one.criterion, one.annotator, one.other), {})[measure] = one
    return [
        AgreementRow(
            name=" · ".join(part for part in (annotator, other, _about(criterion)) if part),
            measures={name: _measure(one, changes) for name, one in found.items()},
            n=max(one.n for one in found.values()),
            reason=next((one.reason for one in found.values() if one.reason), ""),
        )
        for (_, criterion, annotator, other), found in sorted(rows.items())
    ]


def _about(criterion: str) -> str:
    return "" if criterion == _OVERALL else criterion


def _measure(one: QualityFigure, changes: dict[Key, Drift]) -> Measure:
    meaning = MEANINGS.get(one.figure, Meaning(one.figure, "", False))
    change = changes.get(_key(one))
    return Measure(
        label=meaning.label,
        text=meaning.text,
        value=written(one.figure, one.estimate),
        interval=_span(one.figure, one.low, one.high),
        whisker=_whisker(one),
        n=one.n,
        change=_difference(one.figure, change) if change else "",
        changed=bool(change and change.beyond_chance),
        reason=one.reason,
    )


def written(name: str, value: float | None) -> str:
    """A figure's value as people read it: shares in percent, differences with a sign."""
    meaning = MEANINGS.get(name)
    if name in _SIGNED:
        return _points(value) if meaning and meaning.is_share else signed(value)
    return share(value) if meaning and meaning.is_share else figure(value)


def _points(value: float | None) -> str:
    """A difference of shares in percentage points."""
    if value is None:
        return share(None)
    return f"{100 * value:+.1f}\N{NO-BREAK SPACE}pts".replace("-", MINUS)


def _span(name: str, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return ""
    return f"{written(name, low)} to {written(name, high)}"


def _difference(name: str, change: Drift) -> str:
    """The change since its round, with its interval."""
    meaning = MEANINGS.get(name)
    said = _points if meaning and meaning.is_share else signed
    ends = f"{said(change.low)} to {said(change.high)}"
    return f"{said(change.difference)} ({ends}) since round {change.since}"


def in_words(changes: Iterable[Drift]) -> list[str]:
    """A sentence for each change beyond chance."""
    return [_in_words(one) for one in changes if one.beyond_chance]


def _in_words(change: Drift) -> str:
    meaning = MEANINGS.get(change.figure, Meaning(change.figure, "", False))
    who = " and ".join(part for part in (change.annotator, change.other) if part)
    judge = "" if change.same_judge else ", and it is not the same judge"
    about = f" ({change.criterion})" if _about(change.criterion) else ""
    return f"{who}{about}: {meaning.label} {_difference(change.figure, change)}{judge}"


def _whisker(one: QualityFigure) -> Whisker | None:
    if one.estimate is None or one.low is None or one.high is None:
        return None
    meaning = MEANINGS.get(one.figure)
    usual = _SHARES if meaning and meaning.is_share else _COEFFICIENTS
    start, end, zero = _SCALES.get(one.figure, usual)

    def at(value: float) -> float:
        return round(100 * min(1.0, max(0.0, (value - start) / (end - start))), 2)

    return Whisker(at(one.low), at(one.estimate), at(one.high), None if zero is None else at(zero))


def in_a_cell(measure: Measure) -> str:
    """Value, interval and number in one cell."""
    if measure.reason:
        return f"not measurable: {measure.reason}"
    return f"{measure.value} ({measure.interval}; n {count(measure.n)})"
