"""What the trainer measured at each optimizer step."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields

from tasks.tables import KEYS


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
    gradient_norm: float
    """Norm of the gradient before it was scaled down."""
    learning_rate: float
    """Learning rate of the step."""

    @classmethod
    def of(cls, line: str) -> "StepMetrics":
        """The metrics in one line of metrics.jsonl; its speed is kept apart (`speeds`)."""
        values = json.loads(line)
        return cls(**{field.name: values.get(field.name) for field in fields(cls)})


def speeds(lines: Sequence[str]) -> list[float]:
    """Tokens per second of each step in metrics.jsonl: no part of what training is compared by."""
    return [float(json.loads(line)["tokens_per_second"]) for line in lines]


KEYS[StepMetrics] = ("step",)
