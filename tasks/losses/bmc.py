"""Bridging and modelling correlations: tokens in which the two responses differ count more."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from tasks.function_words import StopWords, stop_words
from tasks.losses._contract import Loss
from tasks.training.loss_batch import (
    LossBatch,
    LossResult,
    Side,
    Sides,
    logistic,
    preference_metrics,
)
from tasks.variants import InKeyIfSet

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class BMC(Loss):
    """DPO in which edited tokens weigh more, up to a cap, the less likely the policy finds them.

    The released code weighs the reference's log-probabilities by the reference's own
    probabilities, so that numerator and denominator have different weights; ours have the same.
    """

    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 0.01}
    NEUTRAL: ClassVar[dict[str, Any] | None] = {"beta": 0.1, "extra_weight_cap": 0.0}
    TOKEN_COLUMNS = (("chosen", "edited"), ("rejected", "edited"))
    AT_REFERENCE = math.log(2)

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.01
    """Scale of the implicit reward, per nat of weighted log-ratio."""
    extra_weight_cap: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.5
    """An edited token weighs 1 + min(1 / probability, this) (delta in the paper)."""
    as_released: bool = False
    """Weigh the reference's log-probabilities by its own probabilities."""
    stop_words: Annotated[StopWords, InKeyIfSet] = ()
    """Words that count as not edited wherever they stand: the name of a language, or a list."""

    def __post_init__(self) -> None:
        self._declare(UNMARKED=tuple(sorted(stop_words(self.stop_words))))

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair; `edited` is 1 where a token is not in the other response.

        -log sigmoid(beta (sum_t w_t (log pi - log ref))), chosen less rejected,
        w_t = 1 + edited_t min(1 / pi_t, cap), without gradient. Source: arXiv:2408.07471.
        """
        rewards = self._ratios(batch).times(self.beta)
        return LossResult(loss=logistic(rewards.margin), metrics=preference_metrics(rewards))

    def _ratios(self, batch: LossBatch) -> Sides:
        if self.as_released:
            return Sides(*(self._released_ratio(side) for side in batch.pair()))
        weights = Sides(*(self._weights(side, side.logps) for side in batch.pair()))
        return batch.weighed(weights).log_ratios(mean=False)

    def _weights(self, side: Side, logps: "Tensor") -> "Tensor":
        """The weight of each token, (P, T), by the probabilities in `logps`."""
        rarity = (-logps.detach()).exp().clamp(max=self.extra_weight_cap)
        return 1 + side.column("edited") * rarity

    def _released_ratio(self, side: Side) -> "Tensor":
        reference = side.references()[:1]
        own = self._weights(side, reference[0])
        policy = side.weighed(self._weights(side, side.logps)).total()
        return policy - side.weighed(own).reference_totals()[0]


VARIANT = BMC
