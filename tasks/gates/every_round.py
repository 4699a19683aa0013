"""Refreshes after every round, whatever was measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict

from tasks.comparing import Terms, compared
from tasks.gate import GateOutcome
from tasks.statistics import PairedValues


@dataclass(frozen=True, kw_only=True)
class EveryRound:
    """The policy always becomes the next reference."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {}
    SEMANTICS: ClassVar[int] = 1

    def __call__(self, slices: Mapping[str, PairedValues]) -> GateOutcome:
        """Always promoted; what is seen of `slices` plays no part."""
        seen = compared(slices, Terms())
        return GateOutcome(outcome="promoted", reasons=["every round refreshes"], slices=seen)


VARIANT = EveryRound
