"""Checks the case of letters."""

import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

_FORMS: dict[str, Callable[[str], str]] = {
    "lower": str.lower,
    "upper": str.upper,
    "title": str.capitalize,
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """Every word is in lower case, in upper case, or has a capital first letter only."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"case": "upper"}
    SEMANTICS: ClassVar[int] = 1

    case: Literal["lower", "upper", "title"]
    """What every word looks like: fox, FOX or Fox."""

    def __call__(self, text: str) -> bool:
        """Whether every word of `text` has the case; a text without letters has none."""
        bare = (word.strip(string.punctuation) for word in text.split())
        words = [word for word in bare if any(letter.isalpha() for letter in word)]
        return bool(words) and all(word == _FORMS[self.case](word) for word in words)


VARIANT = Case
