"""Regularised preference optimisation: DPO that keeps the chosen response likely."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tasks.training.loss_batch import LossBatch, LossResult, Sides, preference_metrics


@dataclass(frozen=True, kw_only=True)
class RPO:
    """DPO plus the chosen response's negative log-likelihood. Not the RPO of other papers."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"eta": 0.005}
    SEMANTICS: ClassVar[int] = 1
    EXAMPLES_KIND: ClassVar[str] = "pair"
    REQUIRES: ClassVar[tuple[str, ...]] = ()
    USES_REFERENCE: ClassVar[bool] = True
    NEUTRAL: ClassVar[dict[str, Any] | None] = {"eta": 0.0}
    AT_REFERENCE: ClassVar[float | None] = None

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Scale of the implicit reward, per nat of log-ratio."""
    eta: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.005
    """Weight of the likelihood: times beta on its sum, or as it is on its mean."""
    reduction: Literal["sum", "mean"] = "sum"
    """sum: eta beta times the summed likelihood (main paper); mean: eta times the token mean."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2405.16436: main text (sum), appendix (mean)."""
        from torch.nn.functional import logsigmoid

        ratios = batch.log_ratios(mean=False)
        rewards = Sides(self.beta * ratios.chosen, self.beta * ratios.rejected)
        loss = -logsigmoid(rewards.chosen - rewards.rejected)
        if self.eta and self.reduction == "sum":
            loss = loss - self.eta * self.beta * batch.sums().chosen
        elif self.eta:
            loss = loss + self.eta * batch.chosen_nll()
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


VARIANT = RPO
