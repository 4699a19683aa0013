"""Compares where the order is least sure and a verdict says most about it, wave after wave."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log2
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import ConfigDict, Field

from tasks.bradley_terry import Fit, Floats, fit, wins_of
from tasks.candidates import Candidate, in_line
from tasks.comparison_rules._budget import Comparison
from tasks.comparison_rules._contract import Heard, Wave, bounded
from tasks.comparison_rules._uncertainty import everybody_once, most_telling, p_wrong
from tasks.seeds import uniform_of

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True, kw_only=True)
class Active:
    """The comparisons that tell most about the order, by a Bradley-Terry fit to what is known.

    Before the first verdict a response is as good as its cell, give or take `spread`. A comparison
    is worth the probability that the present order of its two is wrong, times what a verdict on it
    says of their difference. In the first wave everybody meets somebody; nobody meets twice. Of
    equal texts the strongest takes part.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"budget": 9, "at_once": 2}
    SEMANTICS: ClassVar[int] = 1
    ADAPTIVE: ClassVar[bool] = True

    budget: Annotated[int, Field(ge=1)] | None = None
    """Most comparisons of a prompt; none means n / 2 times log2 n for n responses, rounded up."""
    at_once: Annotated[int, Field(ge=1)] | None = None
    """Comparisons of each wave after the first; none means half as many as there are responses."""
    settled: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    """Stops once no larger share of all pairs is expected to be in the wrong order; 0: never."""
    trust: Annotated[float, Field(ge=0, le=1)] = 1.0
    """How much of the differences between cells' strengths (logits) is believed."""
    furthest: Positive = 3.0
    """A strength counts no more than this far from the middle one (logits); people's does so."""
    spread: Positive = 1.5
    """Standard deviation of the responses around the strength of their cell (logits)."""

    def next(self, candidates: Sequence[Candidate], heard: Sequence[Heard], seed: int) -> Wave:
        """The wave after `heard`, in any order of both."""
        line = sorted(in_line(candidates, seed), key=lambda one: uniform_of(seed, "active", one))
        n = len(line)
        left = self.most(n) - len(heard)
        if left <= 0:
            return Wave([], "budget")
        place = {one: index for index, one in enumerate(line)}
        met = np.eye(n, dtype=bool)
        for one in heard:
            a, b = place[one.a_id], place[one.b_id]
            met[a, b] = met[b, a] = True
        known = self._known(line, candidates, heard)
        if heard and _expected_share_wrong(known) < self.settled:
            return Wave([], "settled")
        choose = most_telling if heard else everybody_once
        at_once = (self.at_once or max(n // 2, 1)) if heard else -(-n // 2)
        chosen = choose(known, met, min(at_once, left))
        return Wave(sorted(_by_id(line[i], line[j]) for i, j in chosen), "asked_all")

    def most(self, n: int) -> int:
        """The budget, as long as there are pairs."""
        if n < 2:
            return 0
        return bounded(self.budget or ceil(n * log2(n) / 2), n, None)

    def least(self, n: int) -> int:
        """The first wave where it may stop early, else the budget."""
        return bounded(-(-n // 2), n, self.most(n)) if self.settled else self.most(n)

    def _known(
        self, line: Sequence[str], candidates: Sequence[Candidate], heard: Sequence[Heard]
    ) -> Fit:
        """The posterior of the responses in `line`."""
        place = {one: index for index, one in enumerate(line)}
        said = [
            (place[one.a_id], place[one.b_id], one.p_b_wins)
            for one in heard
            if one.p_b_wins is not None
        ]
        wins = wins_of(len(line), said)
        return fit(wins, 1 / self.spread**2, self._presumed(line, candidates))

    def _presumed(self, line: Sequence[str], candidates: Sequence[Candidate]) -> Floats:
        """How far each in `line` is presumed above the middle one (logits)."""
        known = {one.response_id: one for one in candidates}
        strengths = np.array([known[one].strength for one in line])
        people = np.array([known[one].origin == "human" for one in line], dtype=bool)
        middle = np.median(strengths[~people]) if (~people).any() else 0.0
        above = np.clip(strengths - middle, -self.furthest, self.furthest)
        return self.trust * np.where(people, self.furthest, above)


def _expected_share_wrong(known: Fit) -> float:
    upper = np.triu_indices(len(known.values), 1)
    return float(p_wrong(known)[upper].mean())


def _by_id(one: str, other: str) -> Comparison:
    return (one, other) if one < other else (other, one)


VARIANT = Active
