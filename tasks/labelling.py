"""Labels of single responses: made by a rule, weighed per prompt, split; pure."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from tasks.candidates import Candidate
from tasks.canonical import short_id
from tasks.errors import DataError
from tasks.label_rules._contract import Judged
from tasks.records import Label, Preference, PreferencePair, Verdict
from tasks.tables import grouped
from tasks.variants import kind_of

LABELS, HELD_OUT_LABELS = "labels", "held_out_labels"
"""Tables of the pair stage, where single responses have labels."""
LABEL_TABLES = (LABELS, HELD_OUT_LABELS)
ORDERED = "labels"
"""Rule of the pairs that labels order."""
WANTED = 0.5
"""A response is wanted if the probability is above this."""

UNLABELLED = "unlabelled_"
"""Begins the counts of responses without a label, by reason."""
COUNTS = ("labels", "prompts_with_labels", "held_out_labels")
"""What is counted of labels besides."""


def counts_labels(name: str) -> bool:
    """Whether the count `name` of a pair stage is of labels."""
    return name in COUNTS or name.startswith(UNLABELLED)


def labels_of(
    rule: Any,
    candidates: Mapping[str, Sequence[Candidate]],
    preferences: Sequence[Preference],
    verdicts: Sequence[Verdict],
) -> tuple[list[Label], dict[str, str]]:
    """The labels of some prompts, sorted by prompt and response, and why others have none.

    The labels of a prompt share its weight. DataError if the rule says what is no probability.
    """
    believed, spoken = grouped(preferences), grouped(verdicts)
    labels: list[Label] = []
    left_out: dict[str, str] = {}
    for prompt_id, members in sorted(candidates.items()):
        judged = Judged(
            prompt_id,
            {one.response_id: one for one in members},
            believed.get(prompt_id, []),
            spoken.get(prompt_id, []),
        )
        said = rule(judged)
        left_out |= said.left_out
        labels += _weighed(prompt_id, said.desirable, kind_of(rule))
    return labels, left_out


def _weighed(prompt_id: str, desirable: Mapping[str, float], rule: str) -> list[Label]:
    for response_id, probability in desirable.items():
        if not 0 <= probability <= 1:
            raise DataError(
                f"the label rule {rule!r} gives response {response_id} {probability}, which is no "
                "probability; 0 to 1 is allowed"
            )
    return [
        Label(
            response_id=response_id,
            prompt_id=prompt_id,
            desirable=desirable[response_id],
            weight=1 / len(desirable),
            rule=rule,
        )
        for response_id in sorted(desirable)
    ]


def ordered_pairs(labels: Sequence[Label]) -> list[PreferencePair]:
    """Any two responses of a prompt of which one is more probably wanted, as pairs to measure by.

    They are never trained on. The margin is by how much the probabilities differ.
    """
    return [
        _ordered(*sorted((one, other), key=lambda label: -label.desirable))
        for _, some in sorted(grouped(labels).items())
        for one, other in combinations(sorted(some, key=lambda label: label.response_id), 2)
        if one.desirable != other.desirable
    ]


def _ordered(better: Label, worse: Label) -> PreferencePair:
    margin = better.desirable - worse.desirable
    return PreferencePair(
        pair_id=short_id(better.prompt_id, better.response_id, worse.response_id, ORDERED),
        prompt_id=better.prompt_id,
        chosen_id=better.response_id,
        rejected_id=worse.response_id,
        p_chosen=(1 + margin) / 2,
        margin=margin,
        weight=1.0,
        rule=ORDERED,
    )
