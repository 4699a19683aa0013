"""SAPO with DPO: against a response in which the policy's average rewrote one segment."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.losses._segment import SEGMENT, Tokens, compared
from tasks.training.loss_batch import LossBatch, LossResult, logistic, preference_metrics


@dataclass(frozen=True, kw_only=True)
class SAPODPO(Loss):
    """DPO between a response and itself with one segment rewritten."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 0.1}
    NEUTRAL: ClassVar[dict[str, Any] | None] = {}
    AT_REFERENCE = math.log(2)

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Scale of the implicit reward, per nat of log-ratio."""
    tokens: Tokens = "response"
    """Which tokens count: all of the response, as released, or those of the segment alone."""

    def __post_init__(self) -> None:
        if self.tokens == "segment":
            self._declare(TOKEN_COLUMNS=SEGMENT)

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair; `segment` is 1 in the part that was rewritten.

        What precedes the segment cancels; what follows it has another prefix on each side and does
        not. Source: arXiv:2405.20830.
        """
        rewards = compared(batch, self.tokens).log_ratios(mean=False).times(self.beta)
        return LossResult(loss=logistic(rewards.margin), metrics=preference_metrics(rewards))


VARIANT = SAPODPO
