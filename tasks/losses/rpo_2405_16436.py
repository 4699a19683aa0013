"""Regularised preference optimisation: DPO that keeps the chosen response likely."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult, logistic, preference_metrics


@dataclass(frozen=True, kw_only=True)
class RPO(Loss):
    """DPO plus the chosen response's negative log-likelihood. Not the RPO of other papers."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"eta": 0.005}
    NEUTRAL: ClassVar[dict[str, Any] | None] = {"eta": 0.0}

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Scale of the implicit reward, per nat of log-ratio."""
    eta: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.005
    """Weight of the likelihood: times beta on its sum, or as it is on its mean."""
    reduction: Literal["sum", "mean"] = "sum"
    """sum: eta beta times the summed likelihood (main paper); mean: eta times the token mean."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2405.16436: main text (sum), appendix (mean)."""
        rewards = batch.log_ratios(mean=False).times(self.beta)
        loss = logistic(rewards.margin)
        if self.eta and self.reduction == "sum":
            loss = loss + self.eta * self.beta * batch.chosen_nll(mean=False)
        elif self.eta:
            loss = loss + self.eta * batch.chosen_nll()
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


VARIANT = RPO
