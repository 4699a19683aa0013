"""Simple preference optimisation: mean log-probability and a margin, no reference."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult, logistic, preference_metrics


@dataclass(frozen=True, kw_only=True)
class SimPO(Loss):
    """Logistic loss on the difference of mean token log-probabilities, less a margin."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 2.0, "margin": 1.0}
    USES_REFERENCE = False

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 2.0
    """Scale of the mean token log-probability."""
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """By how much chosen has to lead, in units of the scaled difference (gamma in the paper)."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2405.14734 eq. 6."""
        rewards = batch.means().times(self.beta)
        loss = logistic(rewards.margin - self.margin)
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


VARIANT = SimPO
