"""What judges and people made of the prior."""

from collections import Counter
from typing import NamedTuple

from tasks.report.data import RoundData
from tasks.report.funnel import MEANINGS
from tasks.report.tally import Tally

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
    tally = data.tally
    totals = Counter[str]()
    for (_, _, decider), number in tally.beliefs.items():
        totals[decider] += number
    return Correction(
        rows=_reason_rows(tally),
        totals=dict(totals),
        total=totals.total(),
        rechecked=tally.rechecked,
        overruled=tally.overruled,
        both_orders=tally.both_orders,
        stable=tally.stable,
        cost_usd=tally.cost_usd,
    )


def _reason_rows(tally: Tally) -> list[ReasonRow]:
    by_reason: dict[tuple[bool, str], dict[str, int]] = {}
    for (decided, reason, decider), number in tally.beliefs.items():
        by_reason.setdefault((decided, reason), {})[decider] = number
    rows = [
        ReasonRow(reason, _MEANINGS.get(reason, ""), decided, by, sum(by.values()))
        for (decided, reason), by in by_reason.items()
    ]
    return sorted(rows, key=lambda row: (not row.decided, -row.total, row.reason))
