"""SLiC's calibration loss: a hinge on the policy's own log-probabilities."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult, preference_metrics


@dataclass(frozen=True, kw_only=True)
class SLiCHinge(Loss):
    """Zero once chosen is 1 / gamma nats likelier than rejected; no reference."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"gamma": 0.05}
    USES_REFERENCE = False

    gamma: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.05
    """Scale of the log-probability margin, per nat."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2309.06657 (hinge), after arXiv:2305.10425."""
        rewards = batch.sums().times(self.gamma)
        loss = (1 - rewards.margin).clamp(min=0)
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


VARIANT = SLiCHinge
