"""Whatever a regular expression finds: numbers, names of functions, or texts without spaces."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.errors import ConfigError
from tasks.key_phrases._contract import KeyPhrase, ranked


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """Every match is a phrase; the more characters, the higher its score."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"pattern": "[0-9]+|[a-z]{5,}"}
    SEMANTICS: ClassVar[int] = 1

    pattern: Annotated[str, Field(min_length=1)]
    """Regular expression; matches of no length are left out."""

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ConfigError(f"pattern {self.pattern!r} is no regular expression: {error}") from (
                error
            )

    def __call__(self, text: str) -> list[KeyPhrase]:
        """The matches in `text`."""
        found = [
            (" ".join(one[0].lower().split()), one.span())
            for one in re.finditer(self.pattern, text)
            if one[0].strip()
        ]
        return ranked(found, {words: float(len(words)) for words, _ in found})


VARIANT = Pattern
