"""What is measured: plan.yaml as a record."""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

PLAN = Path(__file__).with_name("plan.yaml")
Side = Literal["ours", "trl", "trl_by_length"]
SIDES: tuple[Side, ...] = ("ours", "trl", "trl_by_length")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SetPlan(_Strict):
    """One set of pairs and how much of it is trained on."""

    source: Literal["pairs", "matrix", "stories"]
    responses: int
    """Of each prompt; every two of them are a pair."""
    prompts_per_step: int
    warmup_steps: int
    """Not timed."""
    timed_steps: int
    goals: dict[str, float]
    """Least ratio of pairs/s to each of TRL's runs, largest ratio of the rise of memory."""

    @property
    def pairs_per_prompt(self) -> int:
        """Each response with each other one."""
        return self.responses * (self.responses - 1) // 2

    @property
    def pairs_per_step(self) -> int:
        """Of one optimizer step, on both sides."""
        return self.prompts_per_step * self.pairs_per_prompt

    @property
    def steps(self) -> int:
        """Optimizer steps of one measurement."""
        return self.warmup_steps + self.timed_steps


class TrajectoryPlan(_Strict):
    """The comparison of losses step by step."""

    pairs_per_step: int
    steps: int
    tolerance: float


class AccuracyPlan(_Strict):
    """The comparison of seconds until a held-out reward accuracy."""

    steps: int
    every: int
    """Steps between two measured accuracies."""
    held_out_prompts: int
    repetitions: int


class Plan(_Strict):
    """The whole benchmark."""

    seed: int
    threads: int
    max_tokens: int
    pairs_per_device_batch: int
    learning_rate: float
    beta: float
    repetitions: int
    model: dict[str, int]
    sets: dict[str, SetPlan]
    models: list[str]
    trajectory: TrajectoryPlan
    accuracy: AccuracyPlan

    def device_batches(self, pairs_per_step: int) -> int:
        """TRL's device batches of one optimizer step; ValueError if they do not come out even."""
        count, rest = divmod(pairs_per_step, min(self.pairs_per_device_batch, pairs_per_step))
        if rest:
            raise ValueError(
                f"{pairs_per_step} pairs a step do not fill device batches of "
                f"{self.pairs_per_device_batch}; change prompts_per_step"
            )
        return count


def read_plan(path: Path = PLAN) -> Plan:
    """The plan in `path`, checked."""
    values: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return Plan.model_validate(values)
