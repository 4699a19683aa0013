"""Supervised fine-tuning: the likelihood of the response."""

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict

from tasks.training.loss_batch import LossBatch, LossResult


@dataclass(frozen=True, kw_only=True)
class SFT:
    """Token-mean negative log-likelihood of each response."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {}
    SEMANTICS: ClassVar[int] = 1
    EXAMPLES_KIND: ClassVar[str] = "response_only"
    REQUIRES: ClassVar[tuple[str, ...]] = ()
    USES_REFERENCE: ClassVar[bool] = False
    NEUTRAL: ClassVar[dict[str, Any] | None] = None
    AT_REFERENCE: ClassVar[float | None] = None

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each response: the mean over its tokens, so that short ones weigh the same."""
        return LossResult(loss=batch.chosen_nll())


VARIANT = SFT
