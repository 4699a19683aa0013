"""Where the policy moved most against the reference: the best and the worst, side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tasks.canonical import digest
from tasks.measuring import Measured
from tasks.records import Message, Prompt

WHOLE = "all"
SIDES = ("reference", "policy")


@dataclass(frozen=True, kw_only=True, slots=True)
class Movement:
    """One evaluation prompt, answered by the reference and by the policy."""

    messages: list[Message]
    """The prompt."""
    reference: str
    """The reference's answer."""
    policy: str
    """The policy's answer."""
    values: Mapping[str, tuple[float, float]]
    """By metric: the reference's value and the policy's, the main metric first."""

    @property
    def difference(self) -> float:
        """Policy less reference on the main metric; higher is better."""
        reference, policy = next(iter(self.values.values()))
        return policy - reference


class Movements(NamedTuple):
    """What a report shows of them."""

    metric: str
    """The main metric; empty where nothing was measured prompt by prompt."""
    better: int
    """Prompts on which the policy is better than the reference."""
    same: int
    worse: int
    best: list[Movement]
    worst: list[Movement]
    """The worst first."""


NOTHING = Movements("", 0, 0, 0, [], [])


def movements(
    measured: Sequence[Measured],
    metric: str | None,
    answered: Mapping[str, tuple[Prompt, str, str]],
    number: int = 4,
) -> Movements:
    """The prompts on which `metric` moved most, at most `number` each way.

    `answered` holds prompt, reference's and policy's answer by prompt_id. Prompts that moved alike
    are ordered by their other metrics, then by digest, not by taste.
    """
    values = _values(measured)
    if metric is None or metric not in values:
        return NOTHING
    moved = {
        prompt_id: sides["policy"] - sides["reference"]
        for prompt_id, sides in values[metric].items()
    }
    order = sorted(moved, key=lambda one: (-moved[one], -_others(values, metric, one), digest(one)))
    shown = [one for one in order if one in answered]
    names = [metric, *sorted(values.keys() - {metric})]

    def movement(prompt_id: str) -> Movement:
        prompt, reference, policy = answered[prompt_id]
        known = [name for name in names if prompt_id in values[name]]
        sides = {name: values[name][prompt_id] for name in known}
        pairs = {name: (one["reference"], one["policy"]) for name, one in sides.items()}
        return Movement(messages=prompt.messages, reference=reference, policy=policy, values=pairs)

    return Movements(
        metric=metric,
        better=sum(one > 0 for one in moved.values()),
        same=sum(one == 0 for one in moved.values()),
        worse=sum(one < 0 for one in moved.values()),
        best=[movement(one) for one in shown if moved[one] > 0][:number],
        worst=[movement(one) for one in shown[::-1] if moved[one] < 0][:number],
    )


Values = dict[str, dict[str, dict[str, float]]]
"""By metric and prompt_id: values of reference and policy, turned so that higher is better."""


def _values(measured: Sequence[Measured]) -> Values:
    """Metrics with a better direction over the whole, on prompts that both sides answered."""
    found: Values = {}
    for one in measured:
        if one.slice == WHOLE and one.who in SIDES and one.higher_is_better is not None:
            value = one.value if one.higher_is_better else -one.value
            found.setdefault(one.metric, {}).setdefault(one.prompt_id, {})[one.who] = value
    return {
        metric: {prompt_id: sides for prompt_id, sides in by_prompt.items() if len(sides) == 2}
        for metric, by_prompt in found.items()
    }


def _others(values: Values, metric: str, prompt_id: str) -> float:
    """How much the other metrics moved on a prompt, added up."""
    return sum(
        by_prompt[prompt_id]["policy"] - by_prompt[prompt_id]["reference"]
        for name, by_prompt in values.items()
        if name != metric and prompt_id in by_prompt
    )


def moving_metric(metrics: Mapping[str, Mapping[str, object]]) -> str | None:
    """The metric that says best how a policy differs from its reference; None without metrics.

    A win rate against the reference, where a judge saw both answers; else any win rate; else the
    first. `metrics` are settings by name.
    """

    def rank(name: str) -> int:
        settings = metrics[name]
        wins = "win_rate" in str(settings.get("kind", ""))
        return 0 if wins and settings.get("against") == "reference" else 1 if wins else 2

    return min(metrics, key=rank, default=None)
