"""Supervised fine-tuning: the likelihood of the response."""

from dataclasses import dataclass
from typing import Any, ClassVar

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult


@dataclass(frozen=True, kw_only=True)
class SFT(Loss):
    """Token-mean negative log-likelihood of each response."""

    EXAMPLE: ClassVar[dict[str, Any]] = {}
    EXAMPLES_KIND = "response_only"
    USES_REFERENCE = False

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each response: the mean over its tokens, so that short ones weigh the same."""
        return LossResult(loss=batch.chosen_nll())


VARIANT = SFT
