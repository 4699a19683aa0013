"""What each judge and each person says about one comparison, all their verdicts taken together."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from tasks.records import Verdict
from tasks.tables import grouped

SingleOrder = Literal["weak", "full", "ignore"]
HalfTie = Literal["inconsistent", "decision"]

FULL, WEAK = 1.0, 0.5
"""What an opinion weighs, and what one weighs that was given in one order only."""

P_B_WINS = {"a": 0.0, "tie": 0.5, "b": 1.0}


class Voice(NamedTuple):
    """One annotator's word on a comparison."""

    annotator: str
    outcome: str
    """a, b, tie, inconsistent or unparsed."""
    p_b_wins: float
    """0.5 where it cannot tell."""
    weight: float = FULL


def prior_of(verdicts: Iterable[Verdict]) -> str | None:
    """Which response the prior prefers: a, b, or None where it has no opinion."""
    outcomes = {v.outcome for v in verdicts if v.annotator_kind == "prior"} & {"a", "b"}
    return outcomes.pop() if len(outcomes) == 1 else None


def people_of(verdicts: Iterable[Verdict]) -> list[Voice]:
    """One voice for each person who has an opinion; skip and both_bad are none."""
    said = [v for v in verdicts if v.annotator_kind == "human" and v.outcome in P_B_WINS]
    voices = [_said(name, rows) for name, rows in sorted(grouped(said, "annotator").items())]
    return [voice for voice in voices if voice.outcome != "inconsistent"]


def together_of(verdicts: Iterable[Verdict]) -> Voice | None:
    """What all people together say, if that was found out; `inconsistent` where nothing is sure."""
    for one in verdicts:
        if one.annotator_kind == "aggregate":
            if one.outcome not in P_B_WINS:
                return Voice(one.annotator, "inconsistent", 0.5)
            return Voice(one.annotator, one.outcome, on_side(one.outcome, p_b_wins(one)))
    return None


def judges_of(
    verdicts: Iterable[Verdict], single_order: SingleOrder, half_tie: HalfTie
) -> list[Voice]:
    """One voice for each judge and criterion, both orders and all replicates taken together."""
    by_judge: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.annotator_kind == "judge":
            by_judge.setdefault((verdict.annotator, verdict.criterion), []).append(verdict)
    voices = []
    for (name, _), rows in sorted(by_judge.items()):
        orders = {shown: _said(name, some) for shown, some in grouped(rows, "first_shown").items()}
        if "a" in orders and "b" in orders:
            voices.append(_both_orders(orders["a"], orders["b"], half_tie))
        elif single_order != "ignore":
            voice = orders.get("a") or orders.get("b") or orders["unknown"]
            voices.append(voice._replace(weight=FULL if single_order == "full" else WEAK))
    return voices


def _said(name: str, verdicts: Sequence[Verdict]) -> Voice:
    """The most frequent outcome of `verdicts`; inconsistent when two are equally frequent."""
    parsed = [verdict for verdict in verdicts if verdict.outcome in P_B_WINS]
    if not parsed:
        return Voice(name, "unparsed", 0.5)
    outcome = most_frequent([verdict.outcome for verdict in parsed])
    # Summed exactly: the order of the verdicts must not change the last digit.
    p = math.fsum(p_b_wins(verdict) for verdict in parsed) / len(parsed)
    if outcome is None:
        return Voice(name, "inconsistent", p)
    return Voice(name, outcome, on_side(outcome, p))


def p_b_wins(verdict: Verdict) -> float:
    """Probability that b is better by one verdict: as given, or what its outcome stands for."""
    given = verdict.p_b_wins
    return P_B_WINS[verdict.outcome] if given is None else given


def _both_orders(one: Voice, other: Voice, half_tie: HalfTie) -> Voice:
    outcomes = {one.outcome, other.outcome}
    p = (one.p_b_wins + other.p_b_wins) / 2
    if "unparsed" in outcomes:
        return Voice(one.annotator, "unparsed", 0.5)
    if len(outcomes) == 1:
        return Voice(one.annotator, one.outcome, p)
    decided = outcomes - {"tie"}
    if half_tie == "decision" and decided in ({"a"}, {"b"}):
        outcome = decided.pop()
        return Voice(one.annotator, outcome, on_side(outcome, p))
    return Voice(one.annotator, "inconsistent", p)


def most_frequent(outcomes: Sequence[str]) -> str | None:
    """The outcome that occurs most often, or None when two occur equally often."""
    counts = sorted(((outcomes.count(one), one) for one in set(outcomes)), reverse=True)
    if len(counts) > 1 and counts[0][0] == counts[1][0]:
        return None
    return counts[0][1]


def on_side(outcome: str, p_b_wins: float) -> float:
    """`p_b_wins` if it agrees with `outcome`, else the probability that `outcome` stands for.

    A majority of faint opinions can outvote a strong one; the mean is then on the wrong side.
    """
    agrees = {"a": p_b_wins < 0.5, "tie": p_b_wins == 0.5, "b": p_b_wins > 0.5}
    return p_b_wins if agrees[outcome] else P_B_WINS[outcome]
