"""Each response meets one other, drawn at random: half as many pairs as responses."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.pairs import PromptPreferences, make_pair
from tasks.records import PreferencePair
from tasks.seeds import uniform_of
from tasks.variants import kind_of


@dataclass(frozen=True, kw_only=True)
class RandomMatches:
    """The first round of a tournament among the responses that the selection left.

    A drawn pair without a kept preference makes none; of an odd number one response meets nobody.
    Source: RSO's first-round ranking, arXiv:2309.06657.
    """

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
        """The pairs of all prompts, sorted by prompt and ids; `seed` draws who meets whom."""
        found = []
        for prompt_id, prompt in sorted(by_prompt.items()):
            drawn = matches(prompt.standing_ids(), prompt_id, seed)
            found += [
                make_pair(one, kind_of(self))
                for one in prompt.kept()
                if (one.a_id, one.b_id) in drawn and one.margin >= self.min_margin
            ]
        return found


def matches(ids: Iterable[str], prompt_id: str, seed: int) -> set[tuple[str, str]]:
    """Who meets whom, the smaller id first; nobody meets twice."""
    drawn = sorted(ids, key=lambda one: (uniform_of(seed, "match", prompt_id, one), one))
    return {(min(two), max(two)) for two in zip(drawn[::2], drawn[1::2], strict=False)}


VARIANT = RandomMatches
