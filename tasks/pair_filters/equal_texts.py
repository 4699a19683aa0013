"""Drops pairs whose two responses read the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict

from tasks.pairs import PairView


@dataclass(frozen=True, kw_only=True)
class EqualTexts:
    """Texts that are equal apart from space around them."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {}
    SEMANTICS: ClassVar[int] = 1
    STAGE: ClassVar[str] = "paired"

    def __call__(self, pairs: Sequence[PairView]) -> dict[str, str]:
        """The reason for each pair that is dropped, by pair_id."""
        return {
            view.pair.pair_id: "equal_texts"
            for view in pairs
            if view.chosen.text.strip() == view.rejected.text.strip()
        }


VARIANT = EqualTexts
