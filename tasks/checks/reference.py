"""Carries the answer that a text is compared with, and may ask for words in common with it."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The text shares words with the answer: F1 of words, counted as often as they occur.

    Case and punctuation do not count. Source: the F1 of SQuAD, arXiv:1606.05250, articles kept.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"answer": "The fox is red.", "least_f1": 0.3}
    SEMANTICS: ClassVar[int] = 1

    answer: str
    """The reference answer; the judge `reference_guided` shows it."""
    least_f1: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Least F1 that is accepted; 0 accepts any text."""

    def __post_init__(self) -> None:
        if not self.answer.strip():
            raise ConfigError("reference check: answer is empty; write the reference answer")

    def __call__(self, text: str) -> bool:
        """Whether `text` shares enough words with the answer."""
        return self._f1(text) >= self.least_f1

    def _f1(self, text: str) -> float:
        ours, theirs = Counter(_words(text)), Counter(_words(self.answer))
        shared = (ours & theirs).total()
        return 2 * shared / (ours.total() + theirs.total()) if shared else 0.0


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


VARIANT = Reference
