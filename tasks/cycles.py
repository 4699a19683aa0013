"""Preferences of one prompt that contradict each other in a circle: a > b > c > a."""

from collections.abc import Mapping, Set

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from tasks.beliefs import Belief, dropped
from tasks.bradley_terry import fit

Beliefs = dict[tuple[str, str], Belief]

RIDGE = 0.01
"""Keeps the fit finite; small, so that it hardly moves a probability."""
_BALANCED = 1e-6


def drop_cycles(beliefs: Mapping[tuple[str, str], Belief]) -> Beliefs:
    """`beliefs` with every preference that lies on a cycle dropped."""
    on_cycle = _on_cycles(beliefs)
    return {ids: dropped("cycle") if ids in on_cycle else belief for ids, belief in beliefs.items()}


def resolve_cycles(beliefs: Mapping[tuple[str, str], Belief], human_written: Set[str]) -> Beliefs:
    """`beliefs` with those on cycles replaced by a Bradley-Terry fit over their cycle.

    A preference that the fit would reverse against a person's verdict, or against a response in
    `human_written`, is dropped instead; so is one that the fit leaves balanced.
    """
    result = dict(beliefs)
    cycles: dict[int, Beliefs] = {}
    for ids, cycle in _on_cycles(beliefs).items():
        cycles.setdefault(cycle, {})[ids] = beliefs[ids]
    for cycle_beliefs in cycles.values():
        for ids, p_b_wins in _fitted(cycle_beliefs).items():
            result[ids] = _resolved(ids, beliefs[ids], p_b_wins, human_written)
    return result


def _on_cycles(beliefs: Mapping[tuple[str, str], Belief]) -> dict[tuple[str, str], int]:
    """The number of its cycle for every kept preference whose ends reach each other."""
    kept = [ids for ids, belief in beliefs.items() if belief.outcome != "dropped"]
    place = {response: i for i, response in enumerate(sorted({one for ids in kept for one in ids}))}
    if not kept:
        return {}
    ends = np.array([(place[a_id], place[b_id]) for a_id, b_id in kept])
    b_wins = np.array([beliefs[ids].outcome == "b" for ids in kept])
    winners, losers = np.where(b_wins, ends.T[::-1], ends.T)
    graph = csr_array((np.ones(len(kept)), (winners, losers)), shape=(len(place), len(place)))
    _, component = connected_components(graph, directed=True, connection="strong")
    same = component[winners] == component[losers]
    return {
        ids: int(component[i]) for ids, i, cyclic in zip(kept, winners, same, strict=True) if cyclic
    }


def _fitted(beliefs: Mapping[tuple[str, str], Belief]) -> dict[tuple[str, str], float]:
    """The fit's probability that b wins, for each comparison of one cycle."""
    place = {one: i for i, one in enumerate(sorted({one for ids in beliefs for one in ids}))}
    wins = np.zeros((len(place), len(place)))
    for (a_id, b_id), belief in beliefs.items():
        wins[place[b_id], place[a_id]] = belief.p_b_wins
        wins[place[a_id], place[b_id]] = 1 - belief.p_b_wins
    values = fit(wins, RIDGE).values
    return {
        (a_id, b_id): float(1 / (1 + np.exp(values[place[a_id]] - values[place[b_id]])))
        for a_id, b_id in beliefs
    }


def _resolved(
    ids: tuple[str, str], belief: Belief, p_b_wins: float, human_written: Set[str]
) -> Belief:
    if abs(p_b_wins - 0.5) < _BALANCED:
        return dropped("cycle")
    outcome = "b" if p_b_wins > 0.5 else "a"
    if outcome == belief.outcome:
        return belief._replace(p_b_wins=p_b_wins)
    if belief.decided_by == "human":
        return dropped("cycle")
    winner, loser = ids if outcome == "a" else ids[::-1]
    if loser in human_written and winner not in human_written:
        return dropped("protected_human")
    return Belief(outcome, p_b_wins, belief.decided_by, "bradley_terry")
