"""One pair of each prompt: the best-scored response against the worst, or a not so bad one."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tasks.estimates import ESTIMATOR
from tasks.pairs import PromptPreferences, make_pair
from tasks.records import Preference, PreferencePair
from tasks.variants import kind_of


@dataclass(frozen=True, kw_only=True)
class BestVsWorstScore:
    """The responses with the highest and the lowest score of an annotator (West-of-N).

    Which of the two is chosen, and how probably, is for the corrected preference between them to
    say: without one that was kept, as after a tie, the prompt makes no pair. Source:
    arXiv:2401.12086; the rejected response near mean - 2 sd: arXiv:2502.16825.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"rejected_pick": "mean_minus_2sd"}
    SEMANTICS: ClassVar[int] = 1

    by: str = ESTIMATOR
    """Whose scores decide: `estimator`, or the name of a judge that scores."""
    rejected_pick: Literal["min", "mean_minus_2sd"] = "min"
    """The lowest score, or the one nearest to mean - 2 standard deviations of the prompt's."""
    min_margin: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Smallest margin a pair may have, 0 to 1."""

    def __call__(
        self, by_prompt: Mapping[str, PromptPreferences], seed: int
    ) -> list[PreferencePair]:
        """At most one pair of each prompt, sorted by prompt; `seed` plays no part."""
        found = (self._preference(prompt) for _, prompt in sorted(by_prompt.items()))
        return [
            make_pair(one, kind_of(self)) for one in found if one and one.margin >= self.min_margin
        ]

    def _preference(self, prompt: PromptPreferences) -> Preference | None:
        scores = prompt.scores_by(self.by)
        ends = self.ends(scores)
        kept = {(one.a_id, one.b_id): one for one in prompt.kept()}
        return kept.get((min(ends), max(ends))) if ends else None

    def ends(self, scores: Mapping[str, float]) -> tuple[str, str] | None:
        """The ids to choose and to reject, ties broken on the id; None where all scores tie."""
        if not scores:
            return None
        best = min(scores, key=lambda name: (-scores[name], name))
        worse = {name: score for name, score in scores.items() if score < scores[best]}
        if not worse:
            return None
        wanted = min(worse.values())
        if self.rejected_pick == "mean_minus_2sd":
            wanted = _two_below(list(scores.values()))
        return best, min(worse, key=lambda name: (abs(worse[name] - wanted), name))


def _two_below(scores: list[float]) -> float:
    """Mean minus two standard deviations; the scores are all there are, so n divides."""
    mean = math.fsum(scores) / len(scores)
    variance = math.fsum((one - mean) ** 2 for one in scores) / len(scores)
    return mean - 2 * math.sqrt(variance)


VARIANT = BestVsWorstScore
