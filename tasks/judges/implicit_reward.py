"""Scores a response by what training by preferences has made of a model: DPO's implicit reward."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tasks.errors import ConfigError
from tasks.judges._local import ChildJob, LocalModels
from tasks.scales import Scale


@dataclass(frozen=True, kw_only=True)
class ImplicitReward(LocalModels):
    """beta (log p_policy - log p_reference), summed over the tokens of the response.

    Source: Rafailov et al., arXiv:2305.18290, equation 5.
    """

    EXAMPLE: ClassVar[dict[str, Any]] = {"policy": "round:0", "reference": "sft", "beta": 0.1}
    JOB: ClassVar[ChildJob] = "score"
    SAME_TOKENS: ClassVar[bool] = True

    policy: str
    """The trained model: `policy` (this round's start), `round:N`, `sft`, a folder or a hub id."""
    reference: str = "sft"
    """What it was trained from, named likewise."""
    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Scale of the reward, per nat of log-ratio; that of the policy's training."""

    def __post_init__(self) -> None:
        if self.policy == self.reference:
            raise ConfigError(
                f"implicit_reward judge: policy and reference are both {self.policy!r}, so that "
                "every response scores 0; name the model that the policy was trained from"
            )

    @property
    def scale(self) -> Scale:
        """Implicit rewards: differences are log-odds of the policy's preference."""
        return self._scale("implicit_reward")

    def models(self) -> dict[str, str]:
        """The two models."""
        return {"policy": self.policy, "reference": self.reference}

    def score_of(self, numbers: dict[str, float]) -> float:
        """The scaled log-ratio."""
        return self.beta * (numbers["policy"] - numbers["reference"])

    def _job_settings(self) -> dict[str, Any]:
        """Scores are filed under nobody's name: they stay within the judge's stage."""
        return {"reference": "", "master_weights": self.dtype == "float32"}


VARIANT = ImplicitReward
