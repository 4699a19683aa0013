"""RSO's hinge loss on log-ratios."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult, preference_metrics


@dataclass(frozen=True, kw_only=True)
class RSOHingeNorm(Loss):
    """Zero once the scaled log-ratio margin is 1."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"gamma": 0.05}
    AT_REFERENCE = 1.0

    gamma: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.05
    """Scale of the log-ratio margin, per nat; not the beta that responses were drawn with."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2309.06657 (hinge-norm)."""
        rewards = batch.log_ratios(mean=False).times(self.gamma)
        loss = (1 - rewards.margin).clamp(min=0)
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


VARIANT = RSOHingeNorm
