"""Direct preference optimisation."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult, logistic, preference_metrics


@dataclass(frozen=True, kw_only=True)
class DPO(Loss):
    """-log sigmoid of the difference of the implicit rewards."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 0.1}
    NEUTRAL: ClassVar[dict[str, Any] | None] = {}
    AT_REFERENCE = math.log(2)

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Scale of the implicit reward, per nat of log-ratio."""
    sft_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Weight of the chosen response's token-mean negative log-likelihood, added to the loss."""
    length_normalised: bool = False
    """Take the mean of the log-ratio over tokens instead of its sum."""

    def __post_init__(self) -> None:
        if self.sft_weight:
            self._declare(AT_REFERENCE=None)

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2305.18290 eq. 7."""
        rewards = batch.log_ratios(mean=self.length_normalised).times(self.beta)
        loss = logistic(rewards.margin)
        if self.sft_weight:
            loss = loss + self.sft_weight * batch.chosen_nll()
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


VARIANT = DPO
