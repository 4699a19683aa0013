"""Who wins how often, by whose verdicts: win rates with errors, ties, lengths, Bradley-Terry."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tasks.bradley_terry import Strength, fit_strengths
from tasks.errors import ConfigError, DataError
from tasks.records import Response, Verdict
from tasks.tables import KEYS, grouped

_P_B_WINS = {"a": 0.0, "tie": 0.5, "b": 1.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """One cell's place by one annotator's verdicts."""

    annotator: str
    """Judge or person."""
    cell: str
    """Cell of the model matrix."""
    criterion: str
    """What was asked, e.g. overall."""
    win_rate: float | None
    """Mean probability that the cell's response is better (%); ties count half."""
    standard_error: float | None
    """Of `win_rate` over prompts (percentage points); None for a single prompt."""
    verdicts: int
    """Verdicts that say who is better; both orders of a comparison are two."""
    wins: int
    """Verdicts for the cell."""
    ties: int
    """Verdicts that call it a tie."""
    losses: int
    """Verdicts for the other side."""
    unparsed: int
    """Verdicts that prefer nothing (unparsed, skipped, both bad); in no other figure."""
    mean_length: float
    """Characters of the cell's judged responses, each counted once."""
    strength: float
    """Bradley-Terry strength (logits; all cells of the annotator sum to 0)."""
    strength_error: float
    """Standard error of `strength`."""


class _Said(NamedTuple):
    """A verdict as seen from one of its two sides."""

    annotator: str
    criterion: str
    cell: str
    other: str
    prompt_id: str
    response_id: str
    p_wins: float | None
    outcome: str
    """win, tie, loss or unparsed."""


def leaderboard(
    verdicts: Sequence[Verdict], responses: Mapping[str, Response], against: str = ""
) -> list[Standing]:
    """The standings by annotator, best first; verdicts of the prior are no opinions.

    `against` counts only comparisons with that cell (a baseline). A response compared with itself
    counts from both sides. ConfigError if no verdict is about `against`.
    """
    opinions = [one for one in verdicts if one.annotator_kind in ("judge", "human") and one.b_id]
    _refuse_twins(opinions)
    said = [view for one in opinions for view in _both_sides(one, responses)]
    if against:
        said = [view for view in said if view.other == against]
        if not said:
            cells = sorted({one.cell for one in responses.values()})
            raise ConfigError(
                f"no verdict compares anything with {against!r}; cells are: {', '.join(cells)}"
            )
    cell_of = {name: one.cell for name, one in responses.items()}
    strengths = {
        (annotator, criterion): fit_strengths(rows, _cells_in(rows, cell_of))
        for annotator, by_annotator in grouped(opinions, "annotator").items()
        for criterion, rows in grouped(by_annotator, "criterion").items()
    }
    standings = [
        _standing(views, strengths[annotator, criterion], responses)
        for annotator, by_annotator in grouped(said, "annotator").items()
        for criterion, by_criterion in grouped(by_annotator, "criterion").items()
        for views in grouped(by_criterion, "cell").values()
    ]
    return sorted(standings, key=_rank)


def _rank(one: Standing) -> tuple[Any, ...]:
    rate = -1.0 if one.win_rate is None else one.win_rate
    return one.annotator, one.criterion, -rate, one.cell


def _refuse_twins(verdicts: Sequence[Verdict]) -> None:
    """One verdict read twice would count twice and look twice as sure."""
    names = KEYS[Verdict]
    keys = [tuple(getattr(one, name) for name in names) for one in verdicts]
    if len(set(keys)) < len(keys):
        twice = next(one for one, key in zip(verdicts, keys, strict=True) if keys.count(key) > 1)
        raise DataError(
            f"two judges bring a verdict of {twice.annotator!r} on {twice.a_id} and {twice.b_id}; "
            "read a table in one judge only, or give the annotators different names"
        )


def _both_sides(verdict: Verdict, responses: Mapping[str, Response]) -> Iterable[_Said]:
    p = verdict.p_b_wins if verdict.p_b_wins is not None else _P_B_WINS.get(verdict.outcome)
    p = None if verdict.outcome not in _P_B_WINS else p
    named = {"a": ("win", "loss"), "b": ("loss", "win"), "tie": ("tie", "tie")}
    outcomes = named.get(verdict.outcome, ("unparsed", "unparsed"))
    ids = (verdict.a_id, verdict.b_id)
    p_wins = (None, None) if p is None else (1 - p, p)
    for side in (0, 1):
        yield _Said(
            annotator=verdict.annotator,
            criterion=verdict.criterion,
            cell=responses[ids[side]].cell,
            other=responses[ids[1 - side]].cell,
            prompt_id=verdict.prompt_id,
            response_id=ids[side],
            p_wins=p_wins[side],
            outcome=outcomes[side],
        )


def _cells_in(verdicts: Iterable[Verdict], cell_of: Mapping[str, str]) -> dict[str, str]:
    """The responses that `verdicts` are about, with their cells."""
    ids = {name for one in verdicts for name in (one.a_id, one.b_id)}
    return {name: cell_of[name] for name in ids}


def _standing(
    views: Sequence[_Said], strengths: Mapping[str, Strength], responses: Mapping[str, Response]
) -> Standing:
    first = views[0]
    heard = [view for view in views if view.p_wins is not None]
    outcomes = [view.outcome for view in views]
    lengths = [len(responses[name].text) for name in {view.response_id for view in views}]
    strength = strengths[first.cell]
    rate, error = _rate(heard)
    return Standing(
        annotator=first.annotator,
        cell=first.cell,
        criterion=first.criterion,
        win_rate=None if rate is None else 100 * rate,
        standard_error=None if error is None else 100 * error,
        verdicts=len(heard),
        wins=outcomes.count("win"),
        ties=outcomes.count("tie"),
        losses=outcomes.count("loss"),
        unparsed=len(views) - len(heard),
        mean_length=math.fsum(lengths) / len(lengths),
        strength=strength.value,
        strength_error=strength.standard_error,
    )


def _rate(views: Sequence[_Said]) -> tuple[float | None, float | None]:
    """Mean probability to win, and its standard error with prompts as clusters.

    Verdicts on one prompt are not independent. With one verdict a prompt this is the ordinary
    standard error of the mean (n - 1).
    """
    if not views:
        return None, None
    rate = math.fsum(view.p_wins or 0.0 for view in views) / len(views)
    gaps = [
        math.fsum((view.p_wins or 0.0) - rate for view in rows) for rows in grouped(views).values()
    ]
    if len(gaps) < 2:
        return rate, None
    spread = math.fsum(gap * gap for gap in gaps) * len(gaps) / (len(gaps) - 1)
    return rate, math.sqrt(spread) / len(views)
