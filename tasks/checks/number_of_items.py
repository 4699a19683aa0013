"""Checks how many items a list has."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.checks._items import items_of


@dataclass(frozen=True, kw_only=True)
class NumberOfItems:
    """The list has exactly so many items, whatever separates them."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"count": 3}
    SEMANTICS: ClassVar[int] = 1

    count: Annotated[int, Field(ge=0)]
    """How many items there must be."""

    def __call__(self, text: str) -> bool:
        """Whether `text` has `count` items."""
        return len(items_of(text)) == self.count


VARIANT = NumberOfItems
