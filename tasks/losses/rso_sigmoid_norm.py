"""RSO's logistic loss on log-ratios."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult, logistic, preference_metrics


@dataclass(frozen=True, kw_only=True)
class RSOSigmoidNorm(Loss):
    """DPO with a scale of its own, for pairs drawn from an estimated optimal policy."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"gamma": 0.05}
    NEUTRAL: ClassVar[dict[str, Any] | None] = {"gamma": 0.1}
    AT_REFERENCE = math.log(2)

    gamma: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.05
    """Scale of the log-ratio margin, per nat; not the beta that responses were drawn with."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2309.06657 (sigmoid-norm)."""
        rewards = batch.log_ratios(mean=False).times(self.gamma)
        loss = logistic(rewards.margin)
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


VARIANT = RSOSigmoidNorm
