"""DPO on log-ratios per token."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.training.loss_batch import LossBatch, LossResult, Sides, preference_metrics


@dataclass(frozen=True, kw_only=True)
class SigmoidNorm:
    """DPO whose reward is the mean log-ratio of a response's tokens: length is no lever."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 2.0}
    SEMANTICS: ClassVar[int] = 1
    EXAMPLES_KIND: ClassVar[str] = "pair"
    REQUIRES: ClassVar[tuple[str, ...]] = ()
    USES_REFERENCE: ClassVar[bool] = True
    NEUTRAL: ClassVar[dict[str, Any] | None] = None
    AT_REFERENCE: ClassVar[float | None] = math.log(2)

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 2.0
    """Scale of the implicit reward, per nat of log-ratio."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2411.15124 (length-normalised DPO)."""
        from torch.nn.functional import logsigmoid

        ratios = batch.log_ratios(mean=True)
        rewards = Sides(self.beta * ratios.chosen, self.beta * ratios.rejected)
        loss = -logsigmoid(rewards.chosen - rewards.rejected)
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


VARIANT = SigmoidNorm
