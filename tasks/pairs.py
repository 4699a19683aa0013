"""Preference pairs: made from kept preferences, weighed per prompt, and viewed with their texts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tasks.candidates import Candidate
from tasks.canonical import short_id
from tasks.errors import DataError
from tasks.near_duplicates import standing
from tasks.records import Preference, PreferencePair, Response
from tasks.tables import grouped


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptPreferences:
    """What is believed about the responses of one prompt."""

    preferences: Sequence[Preference]
    """After correction, dropped ones included."""
    candidates: Mapping[str, Candidate]
    """By response id."""
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By annotator, then response id; of those whose scores a rule or selection reads."""

    def kept(self) -> list[Preference]:
        """The preferences that have an outcome, sorted by ids."""
        some = [one for one in self.preferences if one.outcome != "dropped"]
        return sorted(some, key=lambda one: (one.a_id, one.b_id))

    def standing_ids(self) -> list[str]:
        """The responses that no near-duplicate stands in for, sorted."""
        there = standing(list(self.candidates.values()))
        return sorted(one.response_id for one in there)

    def scores_by(self, annotator: str) -> dict[str, float]:
        """Its scores of the responses that are there, near-duplicates of others left out."""
        scores = self.scores.get(annotator, {})
        return {name: scores[name] for name in self.standing_ids() if name in scores}


@dataclass(frozen=True, kw_only=True, slots=True)
class PairView:
    """A pair with what filters look at."""

    pair: PreferencePair
    """The pair."""
    chosen: Response
    """The better response."""
    rejected: Response
    """The worse response."""
    reference_chosen_logp: float | None = None
    """Summed log-probability of chosen under the reference (nats), once scored."""
    reference_rejected_logp: float | None = None
    """Summed log-probability of rejected under the reference (nats), once scored."""
    estimates: Sequence[float] = ()
    """P(chosen wins) in each pass of the estimator; empty where nobody asks for them."""


def chosen_and_rejected(preference: Preference) -> tuple[str, str]:
    """The ids of the better and the worse response; DataError for a dropped preference."""
    if preference.outcome == "a":
        return preference.a_id, preference.b_id
    if preference.outcome == "b":
        return preference.b_id, preference.a_id
    raise DataError(
        f"the preference on {preference.a_id} and {preference.b_id} is {preference.outcome} "
        f"({preference.reason}) and makes no pair; pair only kept ones"
    )


def make_pair(preference: Preference, rule: str) -> PreferencePair:
    """The pair that `preference` stands for, with weight 1; `rule` is the kind of the pair rule."""
    chosen_id, rejected_id = chosen_and_rejected(preference)
    if chosen_id == rejected_id:
        raise DataError(f"response {chosen_id} cannot be preferred over itself")
    p = preference.p_b_wins
    return PreferencePair(
        pair_id=short_id(preference.prompt_id, chosen_id, rejected_id, rule),
        prompt_id=preference.prompt_id,
        chosen_id=chosen_id,
        rejected_id=rejected_id,
        p_chosen=p if preference.outcome == "b" else 1 - p,
        margin=preference.margin,
        weight=1.0,
        rule=rule,
    )


def reweigh(
    pairs: Sequence[PreferencePair], totals: Mapping[str, float] | None = None
) -> list[PreferencePair]:
    """`pairs` with equal weights that sum to 1 for each prompt, in the same order.

    `totals` by prompt_id replaces the 1.
    """
    counts = {prompt_id: len(some) for prompt_id, some in grouped(pairs).items()}
    return [
        replace(pair, weight=(totals or {}).get(pair.prompt_id, 1) / counts[pair.prompt_id])
        for pair in pairs
    ]


def prompt_weights(pairs: Sequence[PreferencePair]) -> dict[str, float]:
    """What the pairs of each prompt weigh together: 1, or less where they are of earlier rounds.

    Sums of equal parts miss the whole by a last digit; they are rounded to twelve digits.
    """
    return {
        prompt_id: min(1.0, round(math.fsum(one.weight for one in some), 12))
        for prompt_id, some in grouped(pairs).items()
    }
