"""Every preference that is one-sided enough becomes a pair."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.pairs import PromptPreferences, make_pair
from tasks.records import PreferencePair
from tasks.variants import kind_of


@dataclass(frozen=True, kw_only=True)
class AllAboveMargin:
    """All kept preferences with at least `min_margin`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"min_margin": 0.2}
    SEMANTICS: ClassVar[int] = 1

    min_margin: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Smallest margin a pair may have, 0 to 1."""

    def __call__(
        self, by_prompt: Mapping[str, PromptPreferences], seed: int
    ) -> list[PreferencePair]:
        """The pairs of all prompts, sorted by prompt and ids; `seed` plays no part."""
        return [
            make_pair(preference, kind_of(self))
            for _, prompt in sorted(by_prompt.items())
            for preference in prompt.kept()
            if preference.margin >= self.min_margin
        ]


VARIANT = AllAboveMargin
