"""What the trainer measured at each optimizer step."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypedDict

from tasks.tables import KEYS

NO_METRICS = ("steps", "tokens_per_second")
"""What else stands in a line of metrics.jsonl: the job's length, and its speed (`speeds`)."""


class OwnMetric(TypedDict):
    """A number that one loss reports and others do not know."""

    name: str
    value: float


@dataclass(frozen=True, kw_only=True, slots=True)
class StepMetrics:
    """Metrics of one optimizer step; empty where the loss has no such thing. Key: step."""

    step: int
    """1-based optimizer step."""
    loss: float
    """Mean loss over the batch's prompts."""
    reward_chosen: float | None
    """Mean implicit reward of chosen responses."""
    reward_rejected: float | None
    """Mean implicit reward of rejected responses."""
    margin: float | None
    """Mean difference of the two rewards."""
    accuracy: float | None
    """Share of pairs with the higher reward on the chosen side."""
    clipped_chosen: float | None
    """Share of pairs whose chosen reward is at its ceiling."""
    clipped_rejected: float | None
    """Share of pairs whose rejected reward is at its floor."""
    clipped_both: float | None
    """Share of pairs clipped on both sides: they have no gradient."""
    chosen_logp: float | None
    """Mean summed log-probability of chosen responses (nats)."""
    rejected_logp: float | None
    """Mean summed log-probability of rejected responses (nats)."""
    chosen_logp_per_token: float | None
    """Mean log-probability of a chosen response's tokens (nats a token)."""
    rejected_logp_per_token: float | None
    """Mean log-probability of a rejected response's tokens (nats a token)."""
    chosen_tokens: float | None
    """Mean length of chosen responses (tokens)."""
    rejected_tokens: float | None
    """Mean length of rejected responses (tokens)."""
    solved: float | None
    """Share of pairs already solved: clipped on both sides, or sigmoid(-margin) under 2 %."""
    kl: float | None
    """Estimated distance from the reference on the batch's responses (k3, nats a token)."""
    entropy: float | None
    """Mean entropy of the next-token distribution at a sample of response positions (nats)."""
    gradient_norm: float
    """Norm of the gradient before it was scaled down."""
    learning_rate: float
    """Learning rate of the step."""
    other: list[OwnMetric]
    """What the loss reports besides, in its order; left out where it is not finite."""

    @classmethod
    def of(cls, line: str) -> "StepMetrics":
        """The metrics in one line of metrics.jsonl; its speed is kept apart (`speeds`)."""
        values = json.loads(line)
        known = [field.name for field in fields(cls) if field.name != "other"]
        other = [
            OwnMetric(name=name, value=value)
            for name, value in values.items()
            if name not in (*known, *NO_METRICS) and math.isfinite(value)
        ]
        return cls(**{name: values.get(name) for name in known}, other=other)


def reported(row: Mapping[str, Any]) -> dict[str, float]:
    """What one row of the table says, the loss's own metrics beside the others."""
    own = {one["name"]: one["value"] for one in row["other"]}
    known = {name: value for name, value in row.items() if name != "other" and value is not None}
    return known | own


def speeds(lines: Sequence[str]) -> list[float]:
    """Tokens per second of each step in metrics.jsonl: no part of what training is compared by."""
    return [float(json.loads(line)["tokens_per_second"]) for line in lines]


KEYS[StepMetrics] = ("step",)

OF_LOSSES = {
    *("reward_chosen", "reward_rejected", "margin", "accuracy"),
    *("clipped_chosen", "clipped_rejected", "clipped_both"),
}
"""Columns that a loss fills, if it has such a thing."""
TRAINER_KEYS = {field.name for field in fields(StepMetrics)} - OF_LOSSES | set(NO_METRICS)
"""Names in a line of metrics.jsonl that are the trainer's own: no loss may report them."""
