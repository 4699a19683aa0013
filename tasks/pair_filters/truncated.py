"""Drops pairs with a response that was cut at the token limit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from tasks.pairs import PairView


@dataclass(frozen=True, kw_only=True)
class Truncated:
    """Responses that did not finish by themselves."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"side": "chosen"}
    SEMANTICS: ClassVar[int] = 1
    STAGE: ClassVar[str] = "paired"

    side: Literal["either", "chosen", "rejected"] = "either"
    """Which side must be cut for the pair to be dropped."""

    def __call__(self, pairs: Sequence[PairView]) -> dict[str, str]:
        """The reason for each pair that is dropped, by pair_id."""
        return {view.pair.pair_id: "truncated" for view in pairs if self._is_cut(view)}

    def _is_cut(self, view: PairView) -> bool:
        sides = {"chosen": view.chosen, "rejected": view.rejected}
        looked_at = sides if self.side == "either" else (self.side,)
        return any(sides[side].finish_reason == "length" for side in looked_at)


VARIANT = Truncated
