"""Uncertainty-enhanced preference optimisation: pairs that nobody is sure of count less."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult, logistic, preference_metrics

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class UPO(Loss):
    """DPO towards a label that is less certain the more uncertain its estimator was.

    Two printed formulas are not used as they stand. alpha = 1 / (P + 1), P the share of a pair's
    certainty in all pairs', is at least 1/2 and turns every pair round; ours is
    alpha_max x uncertainty / ln 2. The likelihood term has a plus sign, which makes chosen
    responses less likely; ours is minus.
    """

    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 0.1}
    NEUTRAL: ClassVar[dict[str, Any] | None] = {"alpha_max": 0.0, "sft_weight": 0.0}
    REQUIRES = ("uncertainty",)

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Scale of the implicit reward, per nat of log-ratio."""
    alpha_max: Annotated[float, Field(ge=0, lt=0.5)] = 0.4
    """Probability that the label of a pair with the highest uncertainty, ln 2, is wrong; 0: nobody
    has to say how sure the labels are."""
    sft_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
    """Weight of the chosen response's token-mean negative log-likelihood (lambda; ours)."""
    certainty_exponent: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Exponent of 1 - uncertainty where `as_released` (mu in the paper)."""
    as_released: bool = False
    """Use both formulas as the paper prints them; alpha_max plays no part then."""

    def __post_init__(self) -> None:
        if self.as_released:
            self._declare(BATCH_STATISTICS=True)
        elif not self.alpha_max:
            self._declare(REQUIRES=())

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair; uncertainty is BALD's mutual information (nats, 0 to ln 2).

        (1 - alpha) x -log sigmoid(m) + alpha x -log sigmoid(-m) + weight x NLL of chosen.
        Source: arXiv:2409.11212.
        """
        rewards = batch.log_ratios(mean=False).times(self.beta)
        alpha = self._alpha(batch, rewards.margin.detach())
        loss = (1 - alpha) * logistic(rewards.margin) + alpha * logistic(-rewards.margin)
        if self.sft_weight:
            sign = -1 if self.as_released else 1
            loss = loss + sign * self.sft_weight * batch.chosen_nll()
        return LossResult(loss=loss, metrics=preference_metrics(rewards) | {"alpha": alpha})

    def _alpha(self, batch: LossBatch, like: "Tensor") -> "Tensor":
        """How much of each pair counts the other way round, (P,) as `like`."""
        if not self.REQUIRES:
            return like.new_zeros(like.shape)
        uncertainty = batch.column("uncertainty").clamp(0, math.log(2))
        if not self.as_released:
            return self.alpha_max * uncertainty / math.log(2)
        certainty = (1 - uncertainty) ** self.certainty_exponent
        return 1 / (certainty / certainty.sum() + 1)


VARIANT = UPO
