"""Drops pairs whose two responses hardly differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field
from rapidfuzz.distance import Levenshtein

from tasks.pairs import PairView


@dataclass(frozen=True, kw_only=True)
class NearEqual:
    """Texts that differ in fewer characters than a share of the longer one."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"min_distance": 0.1}
    SEMANTICS: ClassVar[int] = 1
    STAGE: ClassVar[str] = "paired"

    min_distance: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Smallest edit distance over the longer length, 0 (equal) to 1 (nothing in common)."""

    def __call__(self, pairs: Sequence[PairView]) -> dict[str, str]:
        """The reason for each pair that is dropped, by pair_id."""
        return {
            view.pair.pair_id: "near_equal"
            for view in pairs
            if self._distance(view) < self.min_distance
        }

    def _distance(self, view: PairView) -> float:
        return Levenshtein.normalized_distance(
            view.chosen.text, view.rejected.text, score_cutoff=self.min_distance
        )


VARIANT = NearEqual
