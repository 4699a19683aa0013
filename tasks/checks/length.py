"""Checks how long a text is."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tasks.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Length:
    """Words or characters are within limits."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"at_most": 50}
    SEMANTICS: ClassVar[int] = 1

    unit: Literal["words", "characters"] = "words"
    """What is counted; words are runs of characters between white space."""
    at_least: Annotated[int, Field(ge=0)] = 0
    """Fewest units."""
    at_most: Annotated[int, Field(ge=0)] | None = None
    """Most units; none is no limit."""

    def __post_init__(self) -> None:
        if self.at_most is not None and self.at_most < self.at_least:
            raise ConfigError(
                f"length check: at_most is {self.at_most}, below at_least {self.at_least}; "
                "no text can meet it"
            )

    def __call__(self, text: str) -> bool:
        """Whether the length of `text`, white space around it left out, is within the limits."""
        stripped = text.strip()
        units = len(stripped.split()) if self.unit == "words" else len(stripped)
        return self.at_least <= units and (self.at_most is None or units <= self.at_most)


VARIANT = Length
