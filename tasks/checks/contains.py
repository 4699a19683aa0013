"""Checks that a text is mentioned, or is not."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field


@dataclass(frozen=True, kw_only=True)
class Contains:
    """A given text occurs often enough and not too often."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"text": "fox"}
    SEMANTICS: ClassVar[int] = 1

    text: Annotated[str, Field(min_length=1)]
    """What to look for; it may be a part of a word."""
    at_least: Annotated[int, Field(ge=0)] = 1
    """Fewest occurrences."""
    at_most: Annotated[int, Field(ge=0)] | None = None
    """Most occurrences; 0 together with `at_least: 0` forbids the text, none is no limit."""
    ignore_case: bool = True
    """Whether Fox counts as fox."""

    def __call__(self, text: str) -> bool:
        """Whether occurrences in `text`, counted without overlap, are within the limits."""
        sought, within = self.text, text
        if self.ignore_case:
            sought, within = sought.casefold(), within.casefold()
        found = within.count(sought)
        return self.at_least <= found and (self.at_most is None or found <= self.at_most)


VARIANT = Contains
