"""From the verdicts of a panel's members on one question to the panel's opinion."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tasks.judging import Asked
from tasks.opinions import Annotator, Opinion, verdict_of
from tasks.records import Verdict
from tasks.voices import P_B_WINS, on_side, p_b_wins

Key = tuple[str, str, str]


def panel_verdicts(
    asked: Sequence[Asked],
    members: Mapping[str, Sequence[Verdict]],
    panel: Any,
    annotator: Annotator,
) -> list[Verdict]:
    """The panel's verdict on each comparison in `asked`; `members` are verdicts by member's name.

    A member without a verdict on a question was not understood.
    """
    spoken = {name: {_key(one): one for one in given} for name, given in members.items()}
    verdicts = []
    for one in asked:
        blank = verdict_of(Opinion(outcome="unparsed"), one.question, annotator)
        votes = {name: given.get(_key(blank)) for name, given in spoken.items()}
        verdicts.append(_together(blank, votes, panel))
    return verdicts


def _key(verdict: Verdict) -> Key:
    return verdict.a_id, verdict.b_id, verdict.first_shown


def _together(blank: Verdict, votes: Mapping[str, Verdict | None], panel: Any) -> Verdict:
    """The verdict of the side with enough weight, a tie, or unparsed."""
    heard = {n: one for n, one in votes.items() if one is not None and one.outcome in P_B_WINS}
    weights = {name: panel.weight(name) for name in votes}
    total = math.fsum(weights.values())
    understood = math.fsum(weights[name] for name in heard)
    unanimous = panel.rule == "unanimous"
    if understood <= panel.quorum * total or (unanimous and len(heard) < len(votes)):
        return blank
    shares = {
        outcome: math.fsum(weights[n] for n, one in heard.items() if one.outcome == outcome)
        for outcome in P_B_WINS
    }
    outcome = max(shares, key=lambda one: shares[one])
    enough = shares[outcome] == understood if unanimous else shares[outcome] > understood / 2
    if outcome == "tie" or not enough:
        return replace(blank, outcome="tie")
    p = math.fsum(weights[n] * p_b_wins(one) for n, one in heard.items()) / understood
    strength = shares[outcome] / total
    return replace(blank, outcome=outcome, p_b_wins=on_side(outcome, p), strength=strength)
