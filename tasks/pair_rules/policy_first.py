"""Pairs with a response of the policy come first; others fill up to a share."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.candidates import Candidate
from tasks.competition import FREE, Competition, Competitor
from tasks.pairs import PromptPreferences, make_pair
from tasks.records import PreferencePair
from tasks.seeds import uniform_of
from tasks.variants import kind_of

OTHERS = 1
"""The group of pairs without a response of the policy."""


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
        pairs, contest = self.pairs(by_prompt), Competition()
        contest.add(self.competitors(pairs, by_prompt, seed))
        return [
            pair for pair, stays in zip(pairs, contest.staying(self.rooms), strict=True) if stays
        ]

    def pairs(self, by_prompt: Mapping[str, PromptPreferences]) -> list[PreferencePair]:
        """All pairs that may be taken, sorted by prompt and ids."""
        pairs = [
            make_pair(preference, kind_of(self))
            for prompt in by_prompt.values()
            for preference in prompt.kept()
            if preference.margin >= self.min_margin
        ]
        return sorted(pairs, key=lambda pair: (pair.prompt_id, pair.chosen_id, pair.rejected_id))

    def competitors(
        self, pairs: Sequence[PreferencePair], by_prompt: Mapping[str, PromptPreferences], seed: int
    ) -> list[Competitor]:
        """Pairs without a response of the policy compete; `seed` draws among them."""
        found = []
        for pair in pairs:
            free = _has_policy(pair, by_prompt[pair.prompt_id].candidates)
            rank = 0.0 if free else uniform_of(seed, pair.pair_id)
            found.append(Competitor(FREE if free else OTHERS, (rank, 0.0), pair.pair_id))
        return found

    def rooms(self, sizes: Mapping[int, int]) -> dict[int, int]:
        """How many pairs without the policy may stay beside those with it."""
        return {OTHERS: self._room(sizes.get(FREE, 0), sizes.get(OTHERS, 0))}

    def _room(self, num_with_policy: int, num_others: int) -> int:
        """How many others keep the share of the policy's pairs at `share` or above."""
        if self.share == 0:
            return num_others
        # A hair is added: 9 * (1 - 0.9) / 0.9 must leave room for 1, not for 0.99...
        return math.floor(num_with_policy * (1 - self.share) / self.share + 1e-9)


def _has_policy(pair: PreferencePair, candidates: Mapping[str, Candidate]) -> bool:
    return "policy" in (candidates[pair.chosen_id].origin, candidates[pair.rejected_id].origin)


VARIANT = PolicyFirst
