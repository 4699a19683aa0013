"""Responses as if drawn from the policy that is best for the scores, by statistical rejection."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.seeds import uniform_of
from tasks.selections._contract import ESTIMATOR


def acceptance(score: float, best: float, beta: float) -> float:
    """The probability that a response is accepted while `best` is the highest score left."""
    return math.exp((score - best) / beta)


@dataclass(frozen=True, kw_only=True)
class RejectionSampling:
    """`number` responses drawn without replacement from those there are, towards high scores.

    In passes over what remains: M is the highest score that remains, and each response is accepted
    with probability exp((score - M) / beta). The best of each pass is always accepted, so that it
    ends; it ends within a pass as soon as there are enough. Responses are told apart by id: equal
    texts are not one. Source: RSO, arXiv:2309.06657, algorithm 1.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"number": 3, "beta": 0.5}
    SEMANTICS: ClassVar[int] = 1

    number: Annotated[int, Field(ge=2)] = 8
    """Responses that stay of each prompt; all of them where there are no more."""
    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.5
    """Score units: near 0 the best ones are taken, a large one draws evenly."""
    by: str = ESTIMATOR
    """Whose scores decide: `estimator`, or the name of a judge that scores."""

    def __call__(self, scores: Mapping[str, float], prompt_id: str, seed: int) -> list[str]:
        """The ids of the accepted responses, sorted; `seed` draws for each prompt, id and pass."""
        left = dict(scores)
        accepted: list[str] = []
        for turn in count():
            if not left or len(accepted) >= self.number:
                return sorted(accepted)
            for name in self._passing(left, (seed, prompt_id, turn)):
                if len(accepted) < self.number:
                    accepted.append(name)
                    del left[name]
        raise AssertionError("every pass accepts one")

    def _passing(self, left: Mapping[str, float], names: tuple[int, str, int]) -> list[str]:
        """Those of `left` that one pass accepts, in the seeded order in which it comes to them."""
        best = max(left.values())
        ordered = sorted(left, key=lambda one: (uniform_of("rejection order", *names, one), one))
        return [
            one
            for one in ordered
            if uniform_of("rejection", *names, one) < acceptance(left[one], best, self.beta)
        ]


VARIANT = RejectionSampling
