"""Checks how a text ends."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field


@dataclass(frozen=True, kw_only=True)
class Ending:
    """The text ends with a given text; white space after it plays no part."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"ending": "!"}
    SEMANTICS: ClassVar[int] = 1

    ending: Annotated[str, Field(min_length=1)]
    """What comes last, e.g. a mark or a closing phrase."""

    def __call__(self, text: str) -> bool:
        """Whether `text` ends with `ending`."""
        return text.rstrip().endswith(self.ending)


VARIANT = Ending
