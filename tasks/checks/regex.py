"""Checks a text against a regular expression."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tasks.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Regex:
    """A pattern of Python's `re` occurs in the text, or is all of it."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"pattern": "[0-9]+"}
    SEMANTICS: ClassVar[int] = 1

    pattern: Annotated[str, Field(min_length=1)]
    """The pattern; `(?i)` in front ignores case. Nested repeats such as (a+)+ can take forever."""
    mode: Literal["search", "fullmatch"] = "search"
    """Somewhere in the text, or the whole text without white space around it."""

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise ConfigError(
                f"regex check: pattern {self.pattern!r} is not a regular expression ({error}); "
                "write it in the syntax of Python's re"
            ) from error

    def __call__(self, text: str) -> bool:
        """Whether `text` matches."""
        if self.mode == "fullmatch":
            return re.fullmatch(self.pattern, text.strip()) is not None
        return re.search(self.pattern, text) is not None


VARIANT = Regex
