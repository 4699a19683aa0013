"""What is ranked: simulated and real contests whose true order is known, one class each.

A world gives `tasks(seed, count)`: prompts with members, what a judge says of any two, and the true
worth of each. The public data is read in place (TSO_SHARED_DATA).
"""

import math
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.polynomial.hermite_e import hermegauss
from scipy.optimize import brentq
from scipy.special import expit, logit

from tasks.bradley_terry import fit, wins_of

DATA = Path(os.environ.get("TSO_SHARED_DATA", "../shared/data"))


@dataclass(frozen=True)
class Contest:
    """One prompt: who takes part, what the judge says, what is true."""

    cells: list[str]
    p_b_wins: Callable[[int, int], float]
    worth: np.ndarray
    """What the members are truly worth, for rankings per prompt."""


class AlpacaEval:
    """Bradley-Terry fitted to AlpacaEval: 15 models, and how much a prompt moves each of them.

    Strengths: all verdicts of all four judges together. Spread: a model's quality on a prompt is
    its strength plus a normal effect; how far two judges agree on the same two responses, beyond
    what win rates explain, gives its size. Strengths are then stretched so that win rates stay.
    """

    name = "alpaca_eval"

    @cached_property
    def _verdicts(self) -> pd.DataFrame:
        rows = pd.read_parquet(DATA / "alpaca_eval/alpaca_eval_judgements.parquet")
        rows = rows[(rows.model_1 != rows.model_2) & rows.preference.notna()]
        return rows.assign(p=rows.preference - 1)

    @cached_property
    def cells(self) -> list[str]:
        return sorted({*self._verdicts.model_1, *self._verdicts.model_2})

    @cached_property
    def spread(self) -> float:
        """Standard deviation of the effect of a prompt on a model (logits)."""
        table = self._verdicts.pivot_table(
            index=["model_1", "model_2", "prompt_id"], columns="annotator", values="p"
        )
        rates, wanted = [], 0.0
        for _, rows in table.groupby(level=["model_1", "model_2"]):
            for judges in combinations(table.columns, 2):
                both = rows[list(judges)].dropna()
                if len(both) > 100:
                    rates.append(both.mean().to_numpy())
                    wanted += float(both.cov().iloc[0, 1])
        return float(brentq(lambda spread: _shared(rates, spread) - wanted, 0.1, 20.0))

    @cached_property
    def strengths(self) -> np.ndarray:
        place = {cell: index for index, cell in enumerate(self.cells)}
        rows = self._verdicts
        votes = [
            (place[a], place[b], p)
            for a, b, p in zip(rows.model_1, rows.model_2, rows.p, strict=True)
        ]
        values = fit(wins_of(len(place), votes)).values
        return values * _stretch(self.spread)

    def tasks(self, seed: int, count: int) -> Iterator[Contest]:
        chance = np.random.default_rng([seed, 1])
        for _ in range(count):
            worth = self.strengths + chance.normal(0, self.spread, len(self.cells))
            yield Contest(self.cells, self._judge(worth, int(chance.integers(2**62))), worth)

    def _judge(self, worth: np.ndarray, seed: int) -> Callable[[int, int], float]:
        coins = np.random.default_rng(seed).random((len(worth), len(worth)))
        return lambda a, b: float(coins[a, b] < expit(worth[b] - worth[a]))

    @property
    def truth(self) -> np.ndarray:
        return self.strengths


def _shared(rates: list[np.ndarray], spread: float) -> float:
    """The covariance of two judges' verdicts on the same responses, summed over `rates`.

    Two models' effects differ by a normal with variance 2 spread^2.
    """
    nodes, weights = hermegauss(101)
    weights = weights / weights.sum()
    gaps = logit(np.array(rates)) * _stretch(spread)
    p = expit(gaps[..., None] + math.sqrt(2) * spread * nodes)
    apart = p - (p * weights).sum(-1, keepdims=True)
    return float((apart[:, 0] * apart[:, 1] * weights).sum())


def _stretch(spread: float) -> float:
    """By what the log-odds of a rate grow once two effects of size `spread` are known."""
    return math.sqrt(1 + 2 * spread**2 * math.pi / 8)


class PandaLM:
    """Five systems; on each prompt where every two were compared, the majority of three people."""

    name = "pandalm"

    @cached_property
    def _rows(self) -> pd.DataFrame:
        return pd.read_parquet(DATA / "pandalm_human/pandalm_human.parquet")

    @cached_property
    def cells(self) -> list[str]:
        return sorted({*self._rows.model_1, *self._rows.model_2})

    @cached_property
    def _said(self) -> list[tuple[str, int, int, float]]:
        place = {cell: index for index, cell in enumerate(self.cells)}
        p_b_wins = {0: 0.5, 1: 0.0, 2: 1.0}
        return [
            (row.prompt_id, place[row.model_1], place[row.model_2], p_b_wins[row.human_majority])
            for row in self._rows.itertuples()
        ]

    @cached_property
    def truth(self) -> np.ndarray:
        """Strengths by all recorded verdicts."""
        return fit(wins_of(len(self.cells), [one[1:] for one in self._said])).values

    def complete(self) -> Iterator[Contest]:
        """The prompts with a verdict on every two systems; true is the fit to all of them."""
        sizes = Counter({(prompt, *sorted((a, b))) for prompt, a, b, _ in self._said})
        pairs = Counter(prompt for prompt, _, _ in sizes)
        for prompt in sorted(one for one, count in pairs.items() if count == 10):
            said = {(a, b): p for name, a, b, p in self._said if name == prompt}
            said |= {(b, a): 1 - p for (a, b), p in said.items()}
            votes = [(a, b, said[a, b]) for a, b in combinations(range(5), 2)]
            worth = fit(wins_of(5, votes)).values
            yield Contest(self.cells, lambda a, b, said=said: said[a, b], worth)

    def tasks(self, seed: int, count: int) -> Iterator[Contest]:
        """Any number of prompts: a pair's verdict is drawn from all recorded ones of that pair."""
        chance = np.random.default_rng([seed, 2])
        by_pair: dict[tuple[int, int], list[float]] = {}
        for _, a, b, p in self._said:
            by_pair.setdefault((a, b), []).append(p)
            by_pair.setdefault((b, a), []).append(1 - p)
        for _ in range(count):
            said = {
                (a, b): float(chance.choice(by_pair[a, b])) for a, b in combinations(range(5), 2)
            }
            said |= {(b, a): 1 - p for (a, b), p in said.items()}
            yield Contest(self.cells, lambda a, b, said=said: said[a, b], self.truth)


class LLMBar:
    """Ways of judging (model and prompting strategy); the better one of two is right on an item.

    An item counts as half right where only one of both orders was answered as labelled; equally
    right is a tie. True is the share of all items, on which random pairs converge as well.
    """

    name = "llmbar"

    @cached_property
    def _right(self) -> pd.DataFrame:
        rows = pd.read_parquet(DATA / "llmbar/llmbar_judgements.parquet")
        rows = rows[~rows.subset.str.startswith("Proc_")]
        rows = rows.assign(right=(rows.winner == rows.gold.astype(str)).astype(float))
        table = rows.pivot_table(
            index="item_id", columns=["judge", "strategy"], values="right", aggfunc="mean"
        )
        return table.dropna(axis=1)

    @cached_property
    def cells(self) -> list[str]:
        return [" · ".join(one) for one in self._right.columns]

    @cached_property
    def truth(self) -> np.ndarray:
        return self._right.mean().to_numpy()

    def tasks(self, seed: int, count: int) -> Iterator[Contest]:
        right = self._right.to_numpy()
        for item in np.random.default_rng([seed, 3]).permutation(len(right))[:count]:
            one = right[item]
            yield Contest(self.cells, lambda a, b, one=one: 0.5 + np.sign(one[b] - one[a]) / 2, one)
