"""What a selection of responses gets and gives.

A selection is called with the scores of ONE prompt's responses, by response id, and gives the ids
that the pair rule sees, sorted; `prompt_id` and `seed` are for those that draw. It knows nothing
of the order in which responses came, and `by` names the annotator whose scores it reads.
"""

from collections.abc import Mapping
from typing import Protocol

from tasks.estimates import ESTIMATOR

__all__ = ["ESTIMATOR", "Selection", "best_first"]


class Selection(Protocol):
    """One way to pick responses."""

    @property
    def by(self) -> str:
        """The annotator whose scores it reads."""
        ...

    def __call__(self, scores: Mapping[str, float], prompt_id: str, seed: int) -> list[str]:
        """The ids of the responses that stay, sorted."""
        ...


def best_first(scores: Mapping[str, float]) -> list[str]:
    """Response ids from the highest score to the lowest; ties break on the id."""
    return sorted(scores, key=lambda name: (-scores[name], name))
