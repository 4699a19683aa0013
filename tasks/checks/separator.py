"""Checks what stands between the items of a list."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.checks._items import SEPARATOR


@dataclass(frozen=True, kw_only=True)
class Separator:
    """The items are set apart by one separator and by nothing else."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"separator": "; "}
    SEMANTICS: ClassVar[int] = 1

    separator: Annotated[str, Field(min_length=1)]
    """What stands between two items, spaces included; `\\n` for one item per line."""

    def __call__(self, text: str) -> bool:
        """Whether `text` has at least two items, and only `separator` between them."""
        items = text.strip().split(self.separator)
        clean = all(item.strip() == item and not SEPARATOR.search(item) for item in items)
        return len(items) > 1 and all(items) and clean


VARIANT = Separator
