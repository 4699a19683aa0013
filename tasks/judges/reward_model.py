"""Scores a response with a sequence-classification model that has one output: a reward model."""

from dataclasses import dataclass
from typing import Any, ClassVar

from tasks.judges._local import ChildJob, LocalModels
from tasks.scales import Scale


@dataclass(frozen=True, kw_only=True)
class RewardModel(LocalModels):
    """The model's one number for the conversation with the response, in its own chat template."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"model": "models/reward"}
    JOB: ClassVar[ChildJob] = "reward"

    model: str
    """A local folder or a hub id, with safetensors weights, one label, and a chat template; or
    `estimator:N`, what the estimator of round N has become."""

    @property
    def scale(self) -> Scale:
        """Rewards, as the model gives them."""
        return self._scale("reward")

    def models(self) -> dict[str, str]:
        """The reward model."""
        return {"reward": self.model}

    def score_of(self, numbers: dict[str, float]) -> float:
        """The reward."""
        return numbers["reward"]


VARIANT = RewardModel
