"""Checks that the items of a list belong to a given set."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.checks._items import items_of


@dataclass(frozen=True, kw_only=True)
class Membership:
    """Every item is one of the allowed words; case plays no part."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"words": ["fox", "owl"]}
    SEMANTICS: ClassVar[int] = 1

    words: Annotated[tuple[str, ...], Field(min_length=1)]
    """What the items may be."""
    distinct: bool = True
    """No item may come twice."""

    def __call__(self, text: str) -> bool:
        """Whether `text` has items and all are allowed."""
        items = [item.casefold() for item in items_of(text)]
        allowed = {word.casefold() for word in self.words}
        repeated = self.distinct and len(set(items)) < len(items)
        return bool(items) and allowed.issuperset(items) and not repeated


VARIANT = Membership
