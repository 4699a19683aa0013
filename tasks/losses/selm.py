"""Self-exploring language models: DPO with optimism about what the reference would not say."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult, logistic, preference_metrics


@dataclass(frozen=True, kw_only=True)
class SELM(Loss):
    """DPO that makes the reference's own responses less likely: the opposite of RPO's term."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 0.01}
    NEUTRAL: ClassVar[dict[str, Any] | None] = {"beta": 0.1, "alpha": 0.0}
    OTHERS = ("explored",)

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.01
    """Scale of the implicit reward, per nat of log-ratio."""
    alpha: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.001
    """Weight of the optimism term, times beta; on sums keep it tiny."""
    reduction: Literal["sum", "mean"] = "sum"
    """Over the tokens of the explored response: sum, where long ones dominate, or mean."""
    as_released: bool = False
    """Weigh the term by alpha alone, as the box of Algorithm 1 does; eq. 4.2 and the released code
    weigh it by alpha beta."""

    def __post_init__(self) -> None:
        if not self.alpha:
            self._declare(OTHERS=())

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair; `explored` is a response that the reference wrote to its prompt.

        -log sigmoid(m) + alpha beta (log pi(y_o) - log ref(y_o)). Source: arXiv:2405.19332 eq. 4.2.
        """
        rewards = batch.log_ratios(mean=False).times(self.beta)
        loss, metrics = logistic(rewards.margin), preference_metrics(rewards)
        if self.alpha:
            explored = batch.other("explored").log_ratio(mean=self.reduction == "mean")
            loss = loss + self.alpha * (1 if self.as_released else self.beta) * explored
            metrics["explored_log_ratio"] = explored.detach()
        return LossResult(loss=loss, metrics=metrics)


VARIANT = SELM
