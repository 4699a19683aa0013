"""How sure a decision of judges is, where they decided and did not say."""

import math
from collections.abc import Mapping
from dataclasses import replace

from tasks.beliefs import Belief
from tasks.records import Verdict

Comparison = tuple[str, str]

DECIDED = ("a", "b")
TIES = ("tie", "human_tie")
"""Reasons for which a comparison is dropped though it was made; half of it goes to each."""


def by_score(verdict: Verdict) -> Verdict:
    """`verdict` with a probability by the distance of the scores behind it: (1 + gap) / 2.

    The gap is a share of the judge's scale (`strength`). A verdict with a probability of its own,
    without scores, of a person, or without a decision stays as it is.
    """
    silent = verdict.p_b_wins is None and verdict.strength is not None
    if not silent or verdict.annotator_kind != "judge" or verdict.outcome not in DECIDED:
        return verdict
    p = (1 + (verdict.strength or 0.0)) / 2
    return replace(verdict, p_b_wins=p if verdict.outcome == "b" else 1 - p)


def by_wins(beliefs: Mapping[Comparison, Belief]) -> dict[Comparison, Belief]:
    """`beliefs` of one prompt, those of judges with (1 + lead) / 2 for the better response.

    The lead is how much more of its comparisons the better response wins, 0 to 1, a tie being half
    a win; one that wins fewer than the worse one leads by 0. What people or the prior decided stays
    as it is.
    """
    made = {
        ids: one for ids, one in beliefs.items() if one.outcome in DECIDED or one.reason in TIES
    }
    points: dict[str, list[float]] = {}
    for (a_id, b_id), one in sorted(made.items()):
        points.setdefault(a_id, []).append(1 - one.p_b_wins)
        points.setdefault(b_id, []).append(one.p_b_wins)
    shares = {name: math.fsum(won) / len(won) for name, won in points.items()}
    return {ids: _led(ids, one, shares) for ids, one in beliefs.items()}


def _led(ids: Comparison, belief: Belief, shares: Mapping[str, float]) -> Belief:
    if belief.outcome not in DECIDED or belief.decided_by != "judge":
        return belief
    lead = (
        shares[ids[1]] - shares[ids[0]]
        if belief.outcome == "b"
        else shares[ids[0]] - shares[ids[1]]
    )
    p = (1 + max(0.0, lead)) / 2
    return belief._replace(p_b_wins=p if belief.outcome == "b" else 1 - p)
