"""Conservative DPO: labels that are wrong now and then."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult, logistic, preference_metrics


@dataclass(frozen=True, kw_only=True)
class ConservativeDPO(Loss):
    """DPO towards a label that is right with probability 1 - noise: the margin stays finite."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"noise": 0.1}
    NEUTRAL: ClassVar[dict[str, Any] | None] = {"noise": 0.0}
    AT_REFERENCE = math.log(2)

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Scale of the implicit reward, per nat of log-ratio."""
    noise: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    """Probability that a label is wrong."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: Mitchell, A note on DPO with noisy preferences (2023)."""
        rewards = batch.log_ratios(mean=False).times(self.beta)
        loss = (1 - self.noise) * logistic(rewards.margin)
        if self.noise:
            loss = loss + self.noise * logistic(-rewards.margin)
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


VARIANT = ConservativeDPO
