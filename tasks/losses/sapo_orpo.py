"""SAPO with ORPO: against a response in which the policy's average rewrote one segment."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.losses._segment import SEGMENT, Tokens, compared
from tasks.losses.orpo import ORPO
from tasks.training.loss_batch import LossBatch, LossResult


@dataclass(frozen=True, kw_only=True)
class SAPOORPO(Loss):
    """ORPO between a response and itself with one segment rewritten; no reference."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"weight": 0.05}
    USES_REFERENCE = False

    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.05
    """Weight of the odds-ratio term (beta in the released code)."""
    tokens: Tokens = "response"
    """Which tokens' odds count: all of the response, as released, or the segment's alone."""

    def __post_init__(self) -> None:
        if self.tokens == "segment":
            self._declare(TOKEN_COLUMNS=SEGMENT)

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair; `segment` is 1 in the part that was rewritten.

        The likelihood term is that of the whole chosen response. Source: arXiv:2405.20830.
        """
        return ORPO(weight=self.weight)(compared(batch, self.tokens))


VARIANT = SAPOORPO
