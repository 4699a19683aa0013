"""What a round left that tells how its training went; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tasks.model_matrix import evaluated_name
from tasks.records import PreferencePair, ReferenceScore, Response
from tasks.statistics import Mean, mean_of
from tasks.words import num_words


class HeldOut(NamedTuple):
    """How likely the policy finds held-out responses, less how likely the reference does."""

    chosen: Mean
    """Over prompts (nats a token)."""
    rejected: Mean
    """Over prompts (nats a token)."""


class Lengths(NamedTuple):
    """Two kinds of responses to the same prompts, compared by their lengths (words)."""

    one: float
    other: float
    difference: Mean
    """One less other, over prompts."""

    @property
    def relative(self) -> float:
        """The difference as a share of the other's length."""
        return self.difference.value / self.other if self.other else 0.0


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that a diagnosis looks at; what is not known is empty or None."""

    steps: Sequence[Mapping[str, float]] = field(default_factory=list)
    """The metrics of each optimizer step, by the names of `StepMetrics`."""
    ended: str = ""
    """Why training ended: epochs, max_steps or clipped."""
    stop_when_clipped: float | None = None
    """The setting of this name."""
    held_out: HeldOut | None = None
    answers: Lengths | None = None
    """Evaluation responses of the policy, and of the reference."""
    pairs: Lengths | None = None
    """Chosen responses, and rejected ones."""


def held_out_shift(
    pairs: Iterable[PreferencePair],
    reference: Mapping[str, ReferenceScore],
    policy: Mapping[str, ReferenceScore],
) -> HeldOut | None:
    """What training did to the likelihood of held-out responses; None if none was scored by both.

    Per token in each response, then over a prompt's pairs, then over prompts.
    """
    sides: tuple[dict[str, list[float]], dict[str, list[float]]] = ({}, {})
    for pair in pairs:
        both = (pair.chosen_id, pair.rejected_id)
        if all(one in reference and one in policy and reference[one].num_tokens for one in both):
            for values, one in zip(sides, both, strict=True):
                gained = policy[one].logp - reference[one].logp
                values.setdefault(pair.prompt_id, []).append(gained / reference[one].num_tokens)
    chosen, rejected = sides
    return HeldOut(_over_prompts(chosen), _over_prompts(rejected)) if chosen else None


def answer_lengths(answers: Iterable[Response], reference: str, policy: str) -> Lengths | None:
    """Lengths of policy and reference answers, both known by the sha256 of their weights.

    None where they are the same weights, or answered no prompt in common.
    """
    if reference == policy:
        return None
    words: dict[str, dict[str, list[float]]] = {evaluated_name(policy): {}}
    words[evaluated_name(reference)] = {}
    for row in answers:
        if row.cell in words:
            words[row.cell].setdefault(row.prompt_id, []).append(num_words(row.text))
    ours, theirs = words.values()
    return lengths_of(_means(ours, theirs))


def pair_words(
    pairs: Iterable[PreferencePair], responses: Mapping[str, Response]
) -> list[tuple[float, float]]:
    """Mean lengths of chosen and of rejected responses (words), for each prompt with pairs."""
    chosen: dict[str, list[float]] = {}
    rejected: dict[str, list[float]] = {}
    for pair in pairs:
        for words, one in ((chosen, pair.chosen_id), (rejected, pair.rejected_id)):
            words.setdefault(pair.prompt_id, []).append(num_words(responses[one].text))
    return _means(chosen, rejected)


def _means(
    ours: Mapping[str, Sequence[float]], theirs: Mapping[str, Sequence[float]]
) -> list[tuple[float, float]]:
    """The mean of each side for every prompt that both have."""
    common = sorted(ours.keys() & theirs.keys())
    return [(mean_of(ours[one]).value, mean_of(theirs[one]).value) for one in common]


def lengths_of(pairs: Sequence[tuple[float, float]]) -> Lengths | None:
    """What the two sides' mean lengths by prompt come to; None without any."""
    if not pairs:
        return None
    return Lengths(
        mean_of(one for one, _ in pairs).value,
        mean_of(other for _, other in pairs).value,
        mean_of(one - other for one, other in pairs),
    )


def _over_prompts(values: Mapping[str, Sequence[float]]) -> Mean:
    return mean_of(mean_of(members).value for members in values.values())
