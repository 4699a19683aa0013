"""Verdicts that exist already, of AI judges or of people; nobody is asked."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tasks.judges._version import judge_version
from tasks.sources import SourceIn


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """Verdicts from tables, joined to the responses that were judged."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"files": ["verdicts.jsonl"]}
    SEMANTICS: ClassVar[int] = 1
    SHAPE: ClassVar[str] = "recorded"
    both_orders: ClassVar[bool] = False

    files: Annotated[list[SourceIn], Field(min_length=1)]
    """Tables with prompt (or messages, source_id), a, b, and outcome, p_b_wins or preference."""
    texts: list[SourceIn] = field(default_factory=list)
    """Tables of judged texts (prompt, key, response), if a and b of the verdicts are keys."""
    by: Literal["judge", "human"] = "judge"
    """Whose verdicts they are: people overrule judges."""

    def version(self) -> str:
        """Digest of the settings; the tables' content stands in the stage's key."""
        return judge_version(self)


VARIANT = Recorded
