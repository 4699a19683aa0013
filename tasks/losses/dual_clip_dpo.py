"""Dual-clip DPO: each side's implicit reward earns nothing beyond its own bound.

The published abstract names a dual clip reward loss and gives no formula, so the forms of the clip
and every number here are ours, and settings.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult, Sides, logistic, preference_metrics

if TYPE_CHECKING:
    from torch import Tensor

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, kw_only=True)
class DualClipDPO(Loss):
    """-log sigmoid( min(chosen reward, ceiling) - max(rejected reward, floor) )."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "beta": 0.1,
        "chosen_ceiling": 2.0,
        "rejected_floor": -2.0,
    }
    NEUTRAL: ClassVar[dict[str, Any] | None] = {"chosen_ceiling": None, "rejected_floor": None}
    CLIPS = True
    AT_REFERENCE = math.log(2)

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Scale of the implicit reward, per nat of log-ratio."""
    form: Literal["saturating", "box", "ratio", "penalty"] = "saturating"
    """What is clipped: the side that is right already (saturating), both rewards at both bounds
    (box: a chosen reward below the floor gets no gradient either), the probability ratio per token
    (ratio), or nothing: rewards on the wrong side of a bound cost extra (penalty)."""
    chosen_ceiling: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 2.0
    """A chosen reward above this earns no further gradient (`bounds_in`); null: no ceiling, as
    always for `penalty`."""
    rejected_floor: Annotated[float, Field(lt=0, allow_inf_nan=False)] | None = -2.0
    """A rejected reward below this earns no further gradient (`bounds_in`); null: no floor."""
    bounds_in: Literal["reward", "log_ratio"] = "reward"
    """Whether ceiling and floor are rewards, or log-ratios (nats): rewards before beta."""
    ratio_bounds: tuple[
        Annotated[float, Field(gt=1, allow_inf_nan=False)],
        Annotated[float, Field(gt=0, lt=1)],
        Annotated[float, Field(gt=1, allow_inf_nan=False)],
    ] = (1.2, 0.8, 3.0)
    """For `ratio`: largest chosen, smallest and largest rejected probability ratio per token."""
    penalties: tuple[Weight, Weight] = (1.0, 1.0)
    """For `penalty`: cost of a chosen reward below 0, and of a rejected reward below its floor."""
    sft_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Weight of the chosen response's token-mean negative log-likelihood, added to the loss."""
    length_normalised: bool = False
    """Take the mean of the log-ratio over tokens instead of its sum; `ratio` always does."""

    def __post_init__(self) -> None:
        if self.form == "penalty":
            self._declare(CLIPS=False)
        if self.sft_weight:
            self._declare(AT_REFERENCE=None)
        elif self.form == "ratio":
            self._declare(AT_REFERENCE=0.0)

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair; `saturating` equals DPO bit for bit while no bound is passed.

        Source: DPO, arXiv:2305.18290 eq. 7; the idea of two clips, arXiv:2409.02118 (abstract).
        """
        per_token = self.length_normalised or self.form == "ratio"
        ratios = batch.log_ratios(mean=per_token)
        rewards = ratios.times(self.beta)
        kept = self._clipped_ratios(ratios) if self.form == "ratio" else self._clipped(rewards)
        loss = self._loss(rewards, kept)
        if self.sft_weight:
            loss = loss + self.sft_weight * batch.chosen_nll()
        metrics = preference_metrics(rewards)
        if self.CLIPS:
            metrics |= _shares(ratios if self.form == "ratio" else rewards, kept)
        return LossResult(loss=loss, metrics=metrics)

    def _loss(self, rewards: Sides, kept: Sides) -> "Tensor":
        if self.form == "ratio":
            return kept.rejected.exp() - kept.chosen.exp()
        if self.form == "penalty":
            return logistic(rewards.margin) + self._penalty(rewards, kept)
        return logistic(kept.margin)

    def _clipped(self, rewards: Sides) -> Sides:
        """The rewards inside their bounds: one bound a side, for `box` both on both sides."""
        scale = self.beta if self.bounds_in == "log_ratio" else 1.0
        ceiling = None if self.chosen_ceiling is None else scale * self.chosen_ceiling
        floor = None if self.rejected_floor is None else scale * self.rejected_floor
        box = self.form == "box"
        return Sides(
            _between(rewards.chosen, floor if box else None, ceiling),
            _between(rewards.rejected, floor, ceiling if box else None),
        )

    def _clipped_ratios(self, ratios: Sides) -> Sides:
        """Log-ratios per token inside `ratio_bounds`: clipped as logs, so exp stays finite."""
        highest, lowest, cap = (math.log(bound) for bound in self.ratio_bounds)
        return Sides(_between(ratios.chosen, None, highest), _between(ratios.rejected, lowest, cap))

    def _penalty(self, rewards: Sides, kept: Sides) -> "Tensor":
        """What chosen lacks to 0, and rejected to its floor, weighed."""
        chosen, rejected = self.penalties
        below_floor = kept.rejected - rewards.rejected
        return chosen * (-rewards.chosen).clamp(min=0) + rejected * below_floor


def _between(values: "Tensor", lowest: float | None, highest: float | None) -> "Tensor":
    if lowest is None and highest is None:
        return values
    return values.clamp(min=lowest, max=highest)


def _shares(values: Sides, kept: Sides) -> "dict[str, Tensor]":
    """1 for each pair whose chosen, rejected, or both values passed a bound."""
    chosen = (values.chosen != kept.chosen).to(values.chosen.dtype)
    rejected = (values.rejected != kept.rejected).to(values.rejected.dtype)
    return {
        "clipped_chosen": chosen,
        "clipped_rejected": rejected,
        "clipped_both": chosen * rejected,
    }


VARIANT = DualClipDPO
