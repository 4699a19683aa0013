"""Checks that the items of a list stand in alphabetical order."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from tasks.checks._items import items_of


@dataclass(frozen=True, kw_only=True)
class Order:
    """The items are sorted from a to z or from z to a; case plays no part."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"direction": "ascending"}
    SEMANTICS: ClassVar[int] = 1

    direction: Literal["ascending", "descending"]
    """From a to z, or from z to a."""

    def __call__(self, text: str) -> bool:
        """Whether the items of `text` are in order; equal neighbours are, and so is one item."""
        items = [item.casefold() for item in items_of(text)]
        return bool(items) and items == sorted(items, reverse=self.direction == "descending")


VARIANT = Order
