"""What the page of a whole run shows, counted from what is known of its rounds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from tasks.comparing import Compared
from tasks.gate import slices_seen
from tasks.ledger.log import Entry, entries
from tasks.ledger.rounds import RoundFacts, interval, main_metric
from tasks.records import EvalReport
from tasks.report.formatting import DASH, count, figure, seconds_shown, share, usd
from tasks.report.gate_slices import by_fall, difference_of, interval_of, level_of
from tasks.report.headline import KeyFigure, decided, outcome_words
from tasks.report.measurements import Mark

SHOWN_SLICES = 12
"""Guarded slices that are shown before the others are folded away."""
HEALTH = ("loss", "margin", "accuracy", "clipped_both", "kl", "gradient_norm")
"""Means over the end of a training, as far as its loss reports them."""


@dataclass(frozen=True, kw_only=True)
class RunData:
    """A run and its committed rounds, at least one, in order."""

    run: str
    """Its name."""
    rounds: Sequence[RoundFacts]
    """What is known of each."""
    origin: Mapping[str, Any] | None = None
    """Run and round that it was forked from."""
    linked: bool = True
    """Whether the pages of the rounds lie below this page."""

    @cached_property
    def metric(self) -> str | None:
        """What the run is told by."""
        return main_metric(self.rounds)

    @cached_property
    def entries(self) -> list[Entry]:
        """The rounds as log entries, in order."""
        return entries(self.rounds)[::-1]


class GlanceRow(NamedTuple):
    """A round in one line."""

    facts: RoundFacts
    entry: Entry
    words: str
    """What the gate said."""
    decided: str
    """What a person decided afterwards; mostly empty."""
    value: str
    """Of the main metric."""
    ends: str
    """Its interval."""
    mark: Mark | None
    """Where it lies on the scale of all rounds."""
    worst: str
    """The guarded slice that moved down most, with its interval."""
    unsure: int
    """Guarded slices that are too small to tell."""


class SliceRow(NamedTuple):
    """A guarded slice over the rounds."""

    name: str
    cells: list[str]
    """A round each: the difference with its interval, or a dash."""
    levels: list[str]
    """worse, better or empty, by round: whether the interval leaves 0 out."""


def glance_rows(data: RunData) -> list[GlanceRow]:
    """A row a round, the newest first."""
    reports = {one.index: one.figure(data.metric) if data.metric else None for one in data.rounds}
    marks = _marks(reports)
    rows = []
    for facts, entry in zip(data.rounds, data.entries, strict=True):
        report = reports[facts.index]
        rows.append(
            GlanceRow(
                facts=facts,
                entry=entry,
                words=outcome_words(facts.outcome),
                decided=decided(facts.decisions),
                value=figure(report.value if report else None),
                ends=_ends(report),
                mark=marks.get(facts.index),
                worst=_worst(facts),
                unsure=len(facts.manifest["gate"].get("n_needed") or {}),
            )
        )
    return rows[::-1]


def _ends(report: EvalReport | None) -> str:
    if report is None or report.standard_error is None:
        return ""
    low, high = interval(report)
    return f"{figure(low, report.value)} to {figure(high, report.value)}"


def _marks(reports: Mapping[int, EvalReport | None]) -> dict[int, Mark]:
    """Where each round lies, in percent of the width that all of them need."""
    ends = {index: interval(one) for index, one in reports.items() if one}
    if not ends:
        return {}
    low, high = min(one[0] for one in ends.values()), max(one[1] for one in ends.values())
    room = 0.06 * (high - low) or 0.5
    start, width = low - room, high - low + 2 * room

    def at(value: float) -> float:
        return round(100 * (value - start) / width, 2)

    return {
        index: Mark(0, at(ends[index][0]), at(one.value), at(ends[index][1]))
        for index, one in reports.items()
        if one
    }


def _guarded(facts: RoundFacts) -> dict[str, Compared]:
    """By slice: policy less reference, as the gate measured it."""
    return slices_seen(facts.manifest["gate"])


def _worst(facts: RoundFacts) -> str:
    slices = _guarded(facts)
    worst = next(iter(by_fall(slices)), None)
    return f"{worst} {_difference(slices[worst])}" if worst is not None else ""


def _difference(one: Compared) -> str:
    said, ends = difference_of(one), interval_of(one)
    return f"{said} ({ends})" if ends else said


def slice_rows(data: RunData) -> list[SliceRow]:
    """Every guarded slice of any round, the one that fell most in the newest first."""
    by_round = [_guarded(one) for one in data.rounds]
    newest = by_fall(by_round[-1])
    names = [*newest, *sorted({name for slices in by_round for name in slices} - set(newest))]
    return [
        SliceRow(
            name=name,
            cells=[_difference(one[name]) if name in one else DASH for one in by_round],
            levels=[level_of(one[name]) if name in one else "" for one in by_round],
        )
        for name in names
    ]


class Table(NamedTuple):
    """Rows of texts under headings, a column a round."""

    rows: list[tuple[str, list[str]]]
    sums: list[str]
    """The last row; empty where there is none."""


def time_table(data: RunData) -> Table:
    """Time of each verb, round by round; no rows where none was noted."""
    verbs = dict.fromkeys(verb for one in data.rounds for verb in one.seconds)
    rows = [(verb, [seconds_shown(one.seconds.get(verb)) for one in data.rounds]) for verb in verbs]
    return Table(rows, [seconds_shown(one.all_seconds) for one in data.rounds] if rows else [])


def cost_table(data: RunData) -> Table:
    """What calls cost, by verb with its cell or judge; no rows where nothing was paid."""
    spent = [one.manifest.get("spent_usd") or {} for one in data.rounds]
    names = dict.fromkeys(name for one in spent for name in one)
    rows = [(name, [usd(one[name]) if name in one else DASH for one in spent]) for name in names]
    return Table(rows, [usd(one.usd) for one in data.rounds] if rows else [])


def health_table(data: RunData) -> Table:
    """How each training ended, and whether it ranks held-out pairs as they are."""
    names = [name for name in HEALTH if any(name in one.training for one in data.rounds)]
    rows = [(name, [figure(one.training.get(name)) for one in data.rounds]) for name in names]
    steps = ("steps", [count(int(one.manifest["policy"]["step"])) for one in data.rounds])
    return Table([steps, *rows], [])


def wins_table(data: RunData) -> Table:
    """Share of the verdicts that each cell won against the others, round by round."""
    shares = [dict(_shares(one)) for one in data.rounds]
    names = dict.fromkeys(name for one in shares for name in sorted(one))
    return Table([(name, [share(one.get(name)) for one in shares]) for name in names], [])


def _shares(facts: RoundFacts) -> Iterator[tuple[str, float]]:
    wins: dict[str, float] = {}
    verdicts: dict[str, int] = {}
    for one in facts.matches:
        for name, won in ((one.a, one.a_wins), (one.b, one.verdicts - one.a_wins)):
            wins[name] = wins.get(name, 0.0) + won
            verdicts[name] = verdicts.get(name, 0) + one.verdicts
    yield from ((name, wins[name] / number) for name, number in verdicts.items() if number)


def run_figures(data: RunData) -> list[KeyFigure]:
    """What sums the run up."""
    found = []
    reports = [one.figure(data.metric) for one in data.rounds if data.metric]
    if data.metric and (report := next((one for one in reports[::-1] if one), None)):
        first = data.rounds[0].figure(data.metric)
        since = f"{figure(first.value)} after round 0" if first and len(data.rounds) > 1 else ""
        error = report.standard_error
        value = figure(report.value) + (f" ± {figure(error, report.value)}" if error else "")
        found.append(KeyFigure(data.metric, value, since))
    refused = sum(one.outcome == "refused" for one in data.rounds)
    flagged = sum(one.outcome == "inconclusive" for one in data.rounds)
    found.append(
        KeyFigure("rounds", count(len(data.rounds)), f"{refused} refused, {flagged} flagged")
    )
    pairs = sum(one.given for one in data.rounds)
    prompts = sum(one.count("collect-train", "drawn") for one in data.rounds)
    found.append(KeyFigure("pairs trained on", count(pairs), f"from {count(prompts)} prompts"))
    paid = sum(one.usd for one in data.rounds)
    noted = [one.all_seconds for one in data.rounds if one.all_seconds is not None]
    spent = usd(paid) if paid else "nothing paid"
    found.append(
        KeyFigure("time of all verbs", seconds_shown(sum(noted)) if noted else DASH, spent)
    )
    return found
