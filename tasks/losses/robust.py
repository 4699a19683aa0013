"""Robust DPO: an unbiased estimate of the loss on right labels."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.training.loss_batch import LossBatch, LossResult, Sides, preference_metrics


@dataclass(frozen=True, kw_only=True)
class RobustDPO:
    """DPO corrected for labels that are wrong with probability noise; may be negative."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"noise": 0.1}
    SEMANTICS: ClassVar[int] = 1
    EXAMPLES_KIND: ClassVar[str] = "pair"
    REQUIRES: ClassVar[tuple[str, ...]] = ()
    USES_REFERENCE: ClassVar[bool] = True
    NEUTRAL: ClassVar[dict[str, Any] | None] = {"noise": 0.0}
    AT_REFERENCE: ClassVar[float | None] = math.log(2)

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Scale of the implicit reward, per nat of log-ratio."""
    noise: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    """Probability that a label is wrong."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2403.00409."""
        from torch.nn.functional import logsigmoid

        ratios = batch.log_ratios(mean=False)
        rewards = Sides(self.beta * ratios.chosen, self.beta * ratios.rejected)
        margin = rewards.chosen - rewards.rejected
        loss = -(1 - self.noise) * logsigmoid(margin)
        if self.noise:
            loss = (loss + self.noise * logsigmoid(-margin)) / (1 - 2 * self.noise)
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


VARIANT = RobustDPO
