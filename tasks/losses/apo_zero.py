"""Anchored preference optimisation: chosen up, rejected down, each on its own."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult, preference_metrics


@dataclass(frozen=True, kw_only=True)
class APOZero(Loss):
    """Raises chosen and lowers rejected responses against the reference."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 0.1}
    AT_REFERENCE = 1.0

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Scale of the implicit reward, per nat of log-ratio."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2408.06266 (APO-zero)."""
        rewards = batch.log_ratios(mean=False).times(self.beta)
        loss = 1 - rewards.chosen.sigmoid() + rewards.rejected.sigmoid()
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


VARIANT = APOZero
