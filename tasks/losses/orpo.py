"""Odds-ratio preference optimisation: supervised, and away from the rejected response."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult, Sides, logistic, preference_metrics

if TYPE_CHECKING:
    from torch import Tensor

NEAREST = 1e-6
"""A mean token log-probability counts as at most minus this: the odds of certainty are infinite."""


@dataclass(frozen=True, kw_only=True)
class ORPO(Loss):
    """Likelihood of the chosen response plus the odds ratio of both; no reference."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"weight": 0.1}
    USES_REFERENCE = False

    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
    """Weight of the odds-ratio term (lambda in the paper)."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2403.07691 eq. 6."""
        means = batch.means()
        odds = Sides(_log_odds(means.chosen), _log_odds(means.rejected))
        ratio = logistic(odds.margin)
        loss = batch.chosen_nll() + self.weight * ratio
        rewards = odds.times(self.weight)
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


def _log_odds(logp: "Tensor") -> "Tensor":
    """log(p / (1 - p)) of probabilities given as logs, also where p is close to 1."""
    import torch

    return logp - torch.log(-torch.expm1(logp.clamp(max=-NEAREST)))


VARIANT = ORPO
