"""Margin matching preference optimisation: soft targets from how sure the label is."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.training.loss_batch import LossBatch, LossResult, Sides, preference_metrics


@dataclass(frozen=True, kw_only=True)
class MMPO:
    """Binary cross-entropy of the reward margin with the pair's probability as its target."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 0.1}
    SEMANTICS: ClassVar[int] = 1
    EXAMPLES_KIND: ClassVar[str] = "pair"
    REQUIRES: ClassVar[tuple[str, ...]] = ("p_chosen",)
    USES_REFERENCE: ClassVar[bool] = True
    NEUTRAL: ClassVar[dict[str, Any] | None] = None
    AT_REFERENCE: ClassVar[float | None] = math.log(2)

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Scale of the implicit reward, per nat of log-ratio."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair, its target the column p_chosen. Source: arXiv:2410.03145."""
        from torch.nn.functional import logsigmoid

        ratios = batch.log_ratios(mean=False)
        rewards = Sides(self.beta * ratios.chosen, self.beta * ratios.rejected)
        margin, p = rewards.chosen - rewards.rejected, batch.columns["p_chosen"]
        loss = -p * logsigmoid(margin) - (1 - p) * logsigmoid(-margin)
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


VARIANT = MMPO
