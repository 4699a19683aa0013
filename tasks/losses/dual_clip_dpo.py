"""Dual-clip DPO: each side's implicit reward earns nothing beyond its own bound.

The published abstract names a dual clip reward loss and gives no formula, so the form of the clip
and every number here are ours, and settings.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.training.loss_batch import LossBatch, LossResult, Sides, preference_metrics

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class DualClipDPO:
    """-log sigmoid( min(chosen reward, ceiling) - max(rejected reward, floor) )."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "beta": 0.1,
        "chosen_ceiling": 2.0,
        "rejected_floor": -2.0,
    }
    SEMANTICS: ClassVar[int] = 1
    EXAMPLES_KIND: ClassVar[str] = "pair"
    REQUIRES: ClassVar[tuple[str, ...]] = ()
    USES_REFERENCE: ClassVar[bool] = True
    NEUTRAL: ClassVar[dict[str, Any] | None] = {"chosen_ceiling": None, "rejected_floor": None}
    AT_REFERENCE: ClassVar[float | None] = math.log(2)

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Scale of the implicit reward, per nat of log-ratio."""
    chosen_ceiling: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 2.0
    """A chosen reward above this earns no further gradient (reward units); null: no ceiling."""
    rejected_floor: Annotated[float, Field(lt=0, allow_inf_nan=False)] | None = -2.0
    """A rejected reward below this earns no further gradient (reward units); null: no floor."""
    sft_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Weight of the chosen response's token-mean negative log-likelihood, added to the loss."""
    length_normalised: bool = False
    """Take the mean of the log-ratio over tokens instead of its sum."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair; equals DPO bit for bit while no bound is passed.

        Source: DPO, arXiv:2305.18290 eq. 7; the idea of two clips, arXiv:2409.02118 (abstract).
        """
        from torch.nn.functional import logsigmoid

        ratios = batch.log_ratios(mean=self.length_normalised)
        rewards = Sides(self.beta * ratios.chosen, self.beta * ratios.rejected)
        clipped = self._clipped(rewards)
        loss = -logsigmoid(clipped.chosen - clipped.rejected)
        if self.sft_weight:
            loss = loss + self.sft_weight * batch.chosen_nll()
        return LossResult(loss=loss, metrics=preference_metrics(rewards) | self._shares(rewards))

    def _clipped(self, rewards: Sides) -> Sides:
        chosen, rejected = rewards
        if self.chosen_ceiling is not None:
            chosen = chosen.clamp(max=self.chosen_ceiling)
        if self.rejected_floor is not None:
            rejected = rejected.clamp(min=self.rejected_floor)
        return Sides(chosen, rejected)

    def _shares(self, rewards: Sides) -> "dict[str, Tensor]":
        """1 for each pair whose chosen, rejected, or both rewards passed their bound."""
        bounded = self._clipped(rewards)
        chosen = (rewards.chosen != bounded.chosen).to(rewards.chosen.dtype)
        rejected = (rewards.rejected != bounded.rejected).to(rewards.rejected.dtype)
        return {
            "clipped_chosen": chosen,
            "clipped_rejected": rejected,
            "clipped_both": chosen * rejected,
        }


VARIANT = DualClipDPO
