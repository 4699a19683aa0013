"""Lets comparison rules choose, by the code that asks judges, and measures what ranking results."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from benchmarks.comparison_rules.worlds import Contest
from tasks.bradley_terry import fit, wins_of
from tasks.candidates import Candidate
from tasks.comparison_rules._contract import Heard
from tasks.seeds import seed_of
from tasks.waves import chosen

Votes = list[tuple[int, int, float]]
Rule = Callable[[int], Any]
"""A rule with its settings, by its budget for one prompt."""


def verdicts(rule: Any, contest: Contest, strengths: Mapping[str, float], seed: int) -> Votes:
    """All that the judge of `contest` says where `rule` chooses what it is asked."""
    members = [
        Candidate(
            prompt_id="p",
            response_id=f"{index:03}",
            cell=cell,
            strength=strengths.get(cell, 0.0),
            origin="model",
            sample_index=0,
            text_digest=f"{index:03}",
        )
        for index, cell in enumerate(contest.cells)
    ]
    waves, said, votes = chosen(rule, members, seed), None, []
    try:
        while True:
            wave = waves.send(said)
            new = [(int(a), int(b), contest.p_b_wins(int(a), int(b))) for a, b in wave]
            votes += new
            said = [Heard(*ids, vote[2]) for ids, vote in zip(wave, new, strict=True)]
    except StopIteration:
        return votes


def kendall(found: np.ndarray, true: np.ndarray) -> float:
    """Share of pairs in the right order less share in the wrong one; true ties do not count."""
    pairs = [(i, j) for i, j in combinations(range(len(true)), 2) if true[i] != true[j]]
    i, j = np.array(pairs).T
    return float((np.sign(found[i] - found[j]) * np.sign(true[i] - true[j])).mean())


def ranked_by_prompt(
    rule: Any, contests: Iterable[Contest], strengths: Mapping[str, float], seed: int, spread: float
) -> tuple[float, float]:
    """Mean calls and mean tau of a prompt's responses, ranked by a fit around `strengths`."""
    taus, calls = [], []
    for number, contest in enumerate(contests):
        votes = verdicts(rule, contest, strengths, seed_of(seed, number))
        mean = np.array([strengths.get(cell, 0.0) for cell in contest.cells])
        values = fit(wins_of(len(mean), votes), 1 / spread**2, mean).values
        calls.append(len(votes))
        if len(set(contest.worth)) > 1:
            taus.append(kendall(values, contest.worth))
    return float(np.mean(calls)), float(np.mean(taus))


def strengths_after(
    rule: Any, contests: Sequence[Contest], rounds: int, seed: int
) -> tuple[int, dict[str, float]]:
    """Calls, and the cells' strengths after all `contests`; a round knows those of the former."""
    cells = contests[0].cells
    strengths: dict[str, float] = {}
    votes: Votes = []
    for number, part in enumerate(np.array_split(np.arange(len(contests)), rounds)):
        for index in part:
            votes += verdicts(rule, contests[index], strengths, seed_of(seed, number, int(index)))
        if votes:
            values = fit(wins_of(len(cells), votes)).values
            strengths = dict(zip(cells, map(float, values), strict=True))
    return len(votes), strengths
