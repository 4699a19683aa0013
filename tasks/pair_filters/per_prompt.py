"""Keeps the clearest pairs of each prompt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.pairs import PairView
from tasks.tables import grouped


@dataclass(frozen=True, kw_only=True)
class PerPrompt:
    """At most `cap` pairs of a prompt, those with the largest margins."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"cap": 2}
    SEMANTICS: ClassVar[int] = 1
    STAGE: ClassVar[str] = "paired"

    cap: Annotated[int, Field(ge=1)] = 4
    """Most pairs of a prompt."""

    def __call__(self, pairs: Sequence[PairView]) -> dict[str, str]:
        """The reason for each pair that is dropped, by pair_id; equal margins break on the id."""
        reasons: dict[str, str] = {}
        for some in grouped(view.pair for view in pairs).values():
            clearest_first = sorted(some, key=lambda pair: (-pair.margin, pair.pair_id))
            reasons |= {pair.pair_id: "per_prompt" for pair in clearest_first[self.cap :]}
        return reasons


VARIANT = PerPrompt
