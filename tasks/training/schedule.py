"""How many steps, and the learning rate of each."""

import math
from typing import Protocol

from tasks.training.settings import TrainingSettings


class Rates(Protocol):
    """Settings of a learning rate."""

    @property
    def learning_rate(self) -> float:
        """Its peak."""
        ...

    @property
    def warmup_share(self) -> float:
        """Share of the steps in which it rises."""
        ...

    @property
    def decay(self) -> str:
        """linear, cosine or constant."""
        ...


def num_steps(settings: TrainingSettings, num_prompts: int) -> int:
    """Optimizer steps of the whole job; the last batch of an epoch may be smaller."""
    steps = settings.epochs * steps_per_epoch(settings, num_prompts)
    return steps if settings.max_steps is None else min(steps, settings.max_steps)


def steps_per_epoch(settings: TrainingSettings, num_prompts: int) -> int:
    """Optimizer steps of one pass over the prompts."""
    return -(-num_prompts // settings.prompts_per_batch)


def learning_rate(settings: Rates, step: int, steps: int) -> float:
    """Learning rate of 0-based `step` of `steps`: rises linearly, then decays towards 0."""
    warmup = math.ceil(settings.warmup_share * steps)
    if step < warmup:
        return settings.learning_rate * (step + 1) / warmup
    done = (step - warmup) / (steps - warmup)
    share = {
        "constant": 1.0,
        "linear": 1.0 - done,
        "cosine": 0.5 * (1.0 + math.cos(math.pi * done)),
    }
    return settings.learning_rate * share[settings.decay]
