"""Checks the last number of a text, as in worked arithmetic problems."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.errors import ConfigError

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
_NUMBER = re.compile(rf"(?<![\w.])-?[$\u20ac\u00a3]?(?:{_DIGITS}(?:\.\d+)?|\.\d+)")
_NOT_NUMERIC = re.compile(r"[,$\u20ac\u00a3]")


@dataclass(frozen=True, kw_only=True)
class FinalNumber:
    """The last number in the text is the expected one: `#### 1,024` and `It costs $1024.` are.

    A minus sign counts as one unless it follows a letter or a digit, as in 10-5.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"expected": "18"}
    SEMANTICS: ClassVar[int] = 1

    expected: str
    """The answer, e.g. 18, -2.5 or $1,024; or a worked solution, whose last number counts."""
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Largest difference that still counts as equal."""

    def __post_init__(self) -> None:
        if not _NUMBER.search(self.expected):
            raise ConfigError(
                f"final_number check: expected is {self.expected!r:.80}, which holds no number; "
                "write it like 18, -2.5 or $1,024, or give a worked solution"
            )

    def __call__(self, text: str) -> bool:
        """Whether the last number of `text` is `expected`; a text without numbers is not met."""
        numbers = _NUMBER.findall(text)
        if not numbers:
            return False
        apart = abs(_value(numbers[-1]) - _value(_NUMBER.findall(self.expected)[-1]))
        return apart <= Decimal(str(self.tolerance))


def _value(number: str) -> Decimal:
    return Decimal(_NOT_NUMERIC.sub("", number))


VARIANT = FinalNumber
