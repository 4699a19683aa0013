"""One pair of each prompt: the preference whose two ends lie furthest apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.pairs import PromptPreferences, chosen_and_rejected, make_pair
from tasks.records import Preference, PreferencePair
from tasks.variants import kind_of


@dataclass(frozen=True, kw_only=True)
class BestVsWorst:
    """The best against the worst response of each prompt, by margins won minus margins lost.

    Only responses that were compared make a pair. Where the best was never compared with the
    worst, the kept preference with the largest gap between its ends is taken.
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
        """At most one pair of each prompt, sorted by prompt; `seed` plays no part."""
        return [
            make_pair(_furthest_apart(some, prompt.kept()), kind_of(self))
            for _, prompt in sorted(by_prompt.items())
            if (some := [one for one in prompt.kept() if one.margin >= self.min_margin])
        ]


def _furthest_apart(some: Sequence[Preference], kept: Sequence[Preference]) -> Preference:
    """The one of `some` with the largest gap in net margin; ties break on margin, then ids."""
    net: dict[str, float] = {}
    for preference in kept:
        chosen_id, rejected_id = chosen_and_rejected(preference)
        net[chosen_id] = net.get(chosen_id, 0.0) + preference.margin
        net[rejected_id] = net.get(rejected_id, 0.0) - preference.margin

    def gap(preference: Preference) -> tuple[float, float, str, str]:
        chosen_id, rejected_id = chosen_and_rejected(preference)
        # Rounded: the order of a sum of floats must not decide between equal gaps.
        apart = round(net[chosen_id] - net[rejected_id], 9)
        return -apart, -preference.margin, chosen_id, rejected_id

    return min(some, key=gap)


VARIANT = BestVsWorst
