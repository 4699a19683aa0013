"""Drops pairs in which one response is far longer than the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.pairs import PairView
from tasks.words import num_words


@dataclass(frozen=True, kw_only=True)
class LengthRatio:
    """Word counts that are more than a factor apart."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"max_ratio": 2.0}
    SEMANTICS: ClassVar[int] = 1
    STAGE: ClassVar[str] = "paired"

    max_ratio: Annotated[float, Field(ge=1)] = 3.0
    """Largest words of the longer over words of the shorter; no words count as one."""

    def __call__(self, pairs: Sequence[PairView]) -> dict[str, str]:
        """The reason for each pair that is dropped, by pair_id."""
        return {
            view.pair.pair_id: "length_ratio" for view in pairs if _ratio(view) > self.max_ratio
        }


def _ratio(view: PairView) -> float:
    shorter, longer = sorted((num_words(view.chosen.text), num_words(view.rejected.text)))
    return longer / max(1, shorter)


VARIANT = LengthRatio
