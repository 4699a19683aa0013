"""What judges and people made of the prior."""

from collections import Counter
from typing import NamedTuple

from tasks.records import Verdict
from tasks.report.data import RoundData
from tasks.report.funnel import MEANINGS

DECIDERS = ("prior", "judge", "human", "none")
"""The columns of the correction table."""

_MEANINGS = MEANINGS | {
    "human": "people decided",
    "kept": "the presumed order stands",
    "no_prior": "two equals, told apart by the judge",
    "prior": "nobody looked; the presumed order stands",
    "soft_human_tie": "people saw no difference: a soft label",
    "soft_inconsistent": "the judge changed its mind with the order: a soft label",
    "soft_judges_disagree": "judges are split evenly: a soft label",
    "soft_tie": "no difference seen: a soft label",
    "swapped": "the presumed order was reversed",
}


class ReasonRow(NamedTuple):
    """Comparisons with one outcome of the correction, by who decided."""

    reason: str
    meaning: str
    decided: bool
    """False where the comparison was dropped."""
    by: dict[str, int]
    total: int


class Correction(NamedTuple):
    """The correction table and what the annotators were like."""

    rows: list[ReasonRow]
    totals: dict[str, int]
    """Comparisons by who decided."""
    total: int
    rechecked: int
    """Comparisons decided by people on which a judge had an opinion."""
    overruled: int
    """Of those, how many where people said the opposite of a judge."""
    both_orders: int
    """Questions that a judge answered in both orders."""
    stable: int
    """Of those, how many where it said the same both times."""
    cost_usd: float | None
    """Money that verdicts cost, where it is known."""

    @property
    def swapped_share(self) -> float | None:
        """Share of the decided comparisons in which the prior was reversed."""
        decided = sum(row.total for row in self.rows if row.decided)
        swapped = sum(row.total for row in self.rows if row.reason == "swapped")
        return swapped / decided if decided else None


def correction(data: RoundData) -> Correction:
    """The correction of this round: decided comparisons first, then dropped ones."""
    totals = Counter(row.decided_by for row in data.preferences)
    rechecked, overruled = _overruled_judges(data)
    both_orders, stable = _stable_judges(data.verdicts)
    costs = [row.cost_usd for row in data.verdicts if row.cost_usd is not None]
    return Correction(
        rows=_reason_rows(data),
        totals=dict(totals),
        total=len(data.preferences),
        rechecked=rechecked,
        overruled=overruled,
        both_orders=both_orders,
        stable=stable,
        cost_usd=sum(costs) if costs else None,
    )


def _reason_rows(data: RoundData) -> list[ReasonRow]:
    cells = Counter((p.outcome != "dropped", p.reason, p.decided_by) for p in data.preferences)
    by_reason: dict[tuple[bool, str], dict[str, int]] = {}
    for (decided, reason, decider), number in cells.items():
        by_reason.setdefault((decided, reason), {})[decider] = number
    rows = [
        ReasonRow(reason, _MEANINGS.get(reason, ""), decided, by, sum(by.values()))
        for (decided, reason), by in by_reason.items()
    ]
    return sorted(rows, key=lambda row: (not row.decided, -row.total, row.reason))


def _overruled_judges(data: RoundData) -> tuple[int, int]:
    verdicts = [v for v in data.verdicts if v.annotator_kind == "judge" and v.b_id]
    judges = {verdict.annotator for verdict in verdicts}
    opinions = {(v.a_id, v.b_id) for v in verdicts if v.outcome in ("a", "b")}
    rechecked = [
        row
        for row in data.preferences
        if row.decided_by == "human" and (row.a_id, row.b_id) in opinions
    ]
    return len(rechecked), sum(bool(judges & set(row.overruled)) for row in rechecked)


def _stable_judges(verdicts: list[Verdict]) -> tuple[int, int]:
    answers: dict[tuple[str, str, str, str, int], dict[str, str]] = {}
    for row in verdicts:
        if row.annotator_kind == "judge" and row.b_id and row.first_shown in ("a", "b"):
            question = (row.a_id, row.b_id, row.annotator, row.criterion, row.replicate)
            answers.setdefault(question, {})[row.first_shown] = row.outcome
    both = [set(outcomes.values()) for outcomes in answers.values() if len(outcomes) == 2]
    return len(both), sum(len(outcomes) == 1 for outcomes in both)
