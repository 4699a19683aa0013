"""What log-probabilities say of a policy, by prompt: rewards, likelihoods, divergence; pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from tasks.labelling import WANTED
from tasks.measuring import Measured
from tasks.records import Label, PreferencePair, ReferenceScore, Response
from tasks.statistics import mean_of
from tasks.tables import grouped

REWARD_ACCURACY = "reward_accuracy"
LABEL_ACCURACY = "label_accuracy"
CHOSEN_LOGP = "chosen_logp"
DIVERGENCE = "kl_to_"
"""Followed by the other model's role: reference or sft."""
PER_TOKEN = "per_token"

Row = TypeVar("Row", PreferencePair, Response, Label)
Scores = Mapping[str, ReferenceScore]
"""By response_id."""


def reward_accuracy(
    pairs: Sequence[PreferencePair], reference: Scores, policy: Scores
) -> list[Measured]:
    """Share of a prompt's held-out pairs whose chosen side gained more log-probability.

    A tie is half. The implicit reward's sign does not depend on beta (arXiv:2305.18290, section
    4). Pairs that one of the two did not score are left out.
    """

    def hit(pair: PreferencePair) -> float:
        chosen, rejected = (
            policy[one].logp - reference[one].logp for one in (pair.chosen_id, pair.rejected_id)
        )
        return 1.0 if chosen > rejected else 0.5 if chosen == rejected else 0.0

    known = reference.keys() & policy.keys()
    scored = [one for one in pairs if {one.chosen_id, one.rejected_id} <= known]
    return list(_by_prompt(REWARD_ACCURACY, "policy", scored, hit))


def label_accuracy(labels: Sequence[Label], reference: Scores, policy: Scores) -> list[Measured]:
    """How well log-ratios tell wanted responses from others, whatever their prompts are.

    Of each labelled response: the share of the responses of the other kind that stand on the right
    side of it, a tie counting half; then the mean over a prompt's responses. Over responses it is
    the area under the ROC curve. Labels of exactly one half say nothing.
    """
    known = reference.keys() & policy.keys()
    rows = [one for one in labels if one.response_id in known and one.desirable != WANTED]
    ratios = {
        one.response_id: policy[one.response_id].logp - reference[one.response_id].logp
        for one in rows
    }
    wanted, others = (
        sorted(ratios[one.response_id] for one in rows if (one.desirable > WANTED) == is_wanted)
        for is_wanted in (True, False)
    )
    if not wanted or not others:
        return []

    def right(one: Label) -> float:
        against = others if one.desirable > WANTED else wanted
        value = ratios[one.response_id]
        below = (bisect_left(against, value) + bisect_right(against, value)) / 2 / len(against)
        return below if one.desirable > WANTED else 1 - below

    return list(_by_prompt(LABEL_ACCURACY, "policy", rows, right))


def chosen_logp(
    pairs: Sequence[PreferencePair], reference: Scores, policy: Scores
) -> list[Measured]:
    """Log-probability of a prompt's held-out chosen responses, nats per token.

    Of policy and reference: preference training widens a margin and may let both sides sink.
    """
    found: list[Measured] = []
    known = reference.keys() & policy.keys()
    scored = [one for one in pairs if one.chosen_id in known]
    for who, scores in (("policy", policy), ("reference", reference)):

        def per_token(pair: PreferencePair, scores: Scores = scores) -> float:
            one = scores[pair.chosen_id]
            return one.logp / one.num_tokens

        found += _by_prompt(CHOSEN_LOGP, who, scored, per_token)
    return found


def divergences(drawn: Sequence[Response], scores: Mapping[str, Scores]) -> list[Measured]:
    """Kullback-Leibler divergence of the policy from each other model, nats, by prompt.

    `drawn` are the policy's own samples at temperature 1, `scores` what each role (policy and
    others) gives them: the mean of log p_policy - log p_other is an unbiased estimate, which may
    be below 0 on some prompts. Slices: `all` by response and `per_token`. What one of two models
    did not score is left out.
    """
    found: list[Measured] = []
    policy = scores["policy"]
    for role in sorted(scores.keys() - {"policy"}):
        other = scores[role]
        known = [one for one in drawn if {one.response_id} <= policy.keys() & other.keys()]

        def gap(row: Response, other: Scores = other) -> float:
            return policy[row.response_id].logp - other[row.response_id].logp

        def per_token(row: Response, gap: Callable[[Response], float] = gap) -> float:
            return gap(row) / policy[row.response_id].num_tokens

        found += _by_prompt(DIVERGENCE + role, "policy", known, gap)
        found += _by_prompt(DIVERGENCE + role, "policy", known, per_token, PER_TOKEN)
    return found


def _by_prompt(
    metric: str, who: str, rows: Sequence[Row], value: Callable[[Row], float], part: str = "all"
) -> Iterator[Measured]:
    """The mean of `value` over the rows of each prompt; no gate looks at it."""
    for prompt_id, some in sorted(grouped(rows).items()):
        yield Measured(
            metric=metric,
            slice=part,
            who=who,
            prompt_id=prompt_id,
            value=mean_of(value(row) for row in some).value,
            higher_is_better=None,
        )
