"""Pairs of a response of the better half of a prompt's scores and one of the worse half."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.estimates import ESTIMATOR
from tasks.pairs import PromptPreferences, make_pair
from tasks.records import PreferencePair
from tasks.variants import kind_of


@dataclass(frozen=True, kw_only=True)
class TopAgainstBottom:
    """All kept preferences between the two halves; the middle one of an odd number is in neither.

    Preferences within a half make no pair. Source: UPO, arXiv:2409.11212, section 3.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"min_margin": 0.2}
    SEMANTICS: ClassVar[int] = 1

    by: str = ESTIMATOR
    """Whose scores decide: `estimator`, or the name of a judge that scores."""
    min_margin: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Smallest margin a pair may have, 0 to 1."""

    def __call__(
        self, by_prompt: Mapping[str, PromptPreferences], seed: int
    ) -> list[PreferencePair]:
        """The pairs of all prompts, sorted by prompt and ids; `seed` plays no part."""
        return [
            make_pair(one, kind_of(self))
            for _, prompt in sorted(by_prompt.items())
            for top in [_top_half(prompt.scores_by(self.by))]
            for one in prompt.kept()
            if one.margin >= self.min_margin and top.get(one.a_id, 0) * top.get(one.b_id, 0) < 0
        ]


def _top_half(scores: Mapping[str, float]) -> dict[str, int]:
    """1 for each response of the better half, -1 for each of the worse; ties break on the id."""
    ranked = sorted(scores, key=lambda name: (-scores[name], name))
    half = len(ranked) // 2
    return dict.fromkeys(ranked[:half], 1) | dict.fromkeys(ranked[len(ranked) - half :], -1)


VARIANT = TopAgainstBottom
