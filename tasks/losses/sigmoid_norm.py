"""DPO on log-ratios per token."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult, logistic, preference_metrics


@dataclass(frozen=True, kw_only=True)
class SigmoidNorm(Loss):
    """DPO whose reward is the mean log-ratio of a response's tokens: length is no lever."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 2.0}
    AT_REFERENCE = math.log(2)

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 2.0
    """Scale of the implicit reward, per nat of log-ratio."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2411.15124 (length-normalised DPO)."""
        rewards = batch.log_ratios(mean=True).times(self.beta)
        loss = logistic(rewards.margin)
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


VARIANT = SigmoidNorm
