"""Margin matching preference optimisation: soft targets from how sure the label is."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult, logistic, preference_metrics

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class MMPO(Loss):
    """Binary cross-entropy of the reward margin with the pair's probability as its target."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 0.1}
    REQUIRES = ("p_chosen",)
    AT_REFERENCE = math.log(2)

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Scale of the implicit reward, per nat of log-ratio."""
    margin_scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """The target is sigmoid(margin_scale x margin) (gamma in the paper); null: it is p_chosen.

    Not free of scale: it goes with the spread of the margins.
    """
    noise: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    """Probability that a label is wrong whatever its probability says; the target p becomes
    (1 - noise) p + noise (1 - p)."""

    def __post_init__(self) -> None:
        if self.margin_scale is not None:
            self._declare(REQUIRES=("margin",))

    def __call__(self, batch: LossBatch) -> LossResult:
        """-p log sigmoid(m) - (1 - p) log sigmoid(-m). Source: arXiv:2410.03145."""
        rewards = batch.log_ratios(mean=False).times(self.beta)
        p = self._target(batch)
        loss = p * logistic(rewards.margin) + (1 - p) * logistic(-rewards.margin)
        return LossResult(loss=loss, metrics=preference_metrics(rewards))

    def _target(self, batch: LossBatch) -> "Tensor":
        """The probability that chosen is better, a constant."""
        if self.margin_scale is None:
            p = batch.column("p_chosen")
        else:
            p = (self.margin_scale * batch.column("margin")).sigmoid()
        return p + self.noise * (1 - 2 * p) if self.noise else p


VARIANT = MMPO
