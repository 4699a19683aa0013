"""LD-DPO for any loss on pairs: what one response is longer by counts less."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.losses._modified import Inner, check_pairs
from tasks.training.loss_batch import LossBatch, LossResult, Sides

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class LengthDesensitised(Loss):
    """Tokens beyond the length of the pair's shorter response weigh alpha."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"loss": {"kind": "dpo"}, "alpha": 0.5}
    NEUTRAL: ClassVar[dict[str, Any] | None] = {"loss": {"kind": "dpo"}, "alpha": 1.0}

    loss: Inner
    """The loss on pairs whose log-probabilities are weighed."""
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Weight of the tokens beyond the shared length; 1: the loss as it is."""

    def __post_init__(self) -> None:
        check_pairs("length_desensitised", self.loss)
        self._declare_needs_of([self.loss])
        self._declare(AT_REFERENCE=self.loss.AT_REFERENCE, REFERENCE_TOKENS=True)

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair, policy and references weighed alike; likelihood terms are not.

        log pi(y) = sum over the shared length + alpha x sum over the rest.
        Source: arXiv:2409.06411.
        """
        result: LossResult = self.loss(batch.weighed(self._weights(batch)))
        return result

    def _weights(self, batch: LossBatch) -> Sides:
        """1 up to the length of the shorter response, then alpha; (P, T) a side."""
        masks = [side.mask for side in batch.pair()]
        shared = masks[0].sum(-1).minimum(masks[1].sum(-1))
        return Sides(*(self._of_side(mask, shared) for mask in masks))

    def _of_side(self, mask_PT: "Tensor", shared_P: "Tensor") -> "Tensor":
        beyond = (mask_PT.cumsum(-1) > shared_P[:, None]).to(mask_PT.dtype)
        return 1 - (1 - self.alpha) * beyond


VARIANT = LengthDesensitised
