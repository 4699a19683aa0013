"""Kahneman-Tversky optimisation: single responses, each desirable or not."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult

if TYPE_CHECKING:
    from torch import Tensor

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, kw_only=True)
class KTO(Loss):
    """Raises desirable and lowers undesirable responses against the policy's drift as a whole."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 0.1}
    SEMANTICS: ClassVar[int] = 2
    EXAMPLES_KIND = "unpaired"
    REQUIRES = ("desirable",)
    OTHERS = ("mismatched",)
    BATCH_STATISTICS = True
    AT_REFERENCE = 0.5

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Scale of the implicit reward, per nat of log-ratio."""
    desirable_weight: Weight = 1.0
    """Weight of desirable responses."""
    undesirable_weight: Weight = 1.0
    """Weight of undesirable ones; keep the weights times the numbers of both within 1 to 4/3."""

    def __post_init__(self) -> None:
        same = self.desirable_weight == self.undesirable_weight
        self._declare(AT_REFERENCE=self.desirable_weight / 2 if same else None)

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each response; `desirable` is a probability, `mismatched` answers another prompt.

        p w_d (1 - sigmoid(beta (a - KL))) + (1 - p) w_u (1 - sigmoid(beta (KL - a))), a the
        log-ratio: the paper's loss where p is 1 or 0, else what it is on average. Source:
        arXiv:2402.01306 eq. 7 and 8.
        """
        ratio, drift = batch.chosen.log_ratio(mean=False), self._drift(batch)
        desirable = batch.column("desirable")
        ahead = self.beta * (ratio - drift)
        loss = desirable * self.desirable_weight * (1 - ahead.sigmoid())
        loss = loss + (1 - desirable) * self.undesirable_weight * (1 - (-ahead).sigmoid())
        sign = (2 * desirable - 1).detach()
        metrics = {
            "signed_reward": (self.beta * ratio * sign).detach(),
            "accuracy": (ahead.detach() * sign > 0).to(ratio.dtype),
            "drift": drift.expand_as(ratio),
        }
        return LossResult(loss=loss, metrics=metrics)

    def _drift(self, batch: LossBatch) -> "Tensor":
        """Estimated KL to the reference (nats), not below 0, without gradient: one number."""
        mismatched = batch.other("mismatched").log_ratio(mean=False)
        return mismatched.detach().mean().clamp(min=0)


VARIANT = KTO
