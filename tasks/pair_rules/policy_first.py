"""Pairs with a response of the policy come first; others fill up to a share."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.candidates import Candidate
from tasks.pairs import PromptPreferences, make_pair
from tasks.records import PreferencePair
from tasks.seeds import uniform_of
from tasks.variants import kind_of


@dataclass(frozen=True, kw_only=True)
class PolicyFirst:
    """All pairs with a response of the policy, and as many others as `share` leaves room for."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"share": 0.5}
    SEMANTICS: ClassVar[int] = 1

    share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Smallest share of all pairs that have a response of the policy."""
    min_margin: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Smallest margin a pair may have, 0 to 1."""

    def __call__(
        self, by_prompt: Mapping[str, PromptPreferences], seed: int
    ) -> list[PreferencePair]:
        """The pairs of all prompts, sorted by prompt and ids; `seed` draws among the others."""
        with_policy: list[PreferencePair] = []
        others: list[PreferencePair] = []
        for _, prompt in sorted(by_prompt.items()):
            for preference in prompt.kept():
                if preference.margin >= self.min_margin:
                    pair = make_pair(preference, kind_of(self))
                    (with_policy if _has_policy(pair, prompt.candidates) else others).append(pair)
        drawn = sorted(others, key=lambda pair: (uniform_of(seed, pair.pair_id), pair.pair_id))
        pairs = with_policy + drawn[: self._room(len(with_policy), len(others))]
        return sorted(pairs, key=lambda pair: (pair.prompt_id, pair.chosen_id, pair.rejected_id))

    def _room(self, num_with_policy: int, num_others: int) -> int:
        """How many others keep the share of the policy's pairs at `share` or above."""
        if self.share == 0:
            return num_others
        # A hair is added: 9 * (1 - 0.9) / 0.9 must leave room for 1, not for 0.99...
        return math.floor(num_with_policy * (1 - self.share) / self.share + 1e-9)


def _has_policy(pair: PreferencePair, candidates: Mapping[str, Candidate]) -> bool:
    return "policy" in (candidates[pair.chosen_id].origin, candidates[pair.rejected_id].origin)


VARIANT = PolicyFirst
