"""RSO's logistic loss on log-ratios."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.training.loss_batch import LossBatch, LossResult, Sides, preference_metrics


@dataclass(frozen=True, kw_only=True)
class RSOSigmoidNorm:
    """DPO with a scale of its own, for pairs drawn from an estimated optimal policy."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"gamma": 0.05}
    SEMANTICS: ClassVar[int] = 1
    EXAMPLES_KIND: ClassVar[str] = "pair"
    REQUIRES: ClassVar[tuple[str, ...]] = ()
    USES_REFERENCE: ClassVar[bool] = True
    NEUTRAL: ClassVar[dict[str, Any] | None] = {"gamma": 0.1}
    AT_REFERENCE: ClassVar[float | None] = math.log(2)

    gamma: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.05
    """Scale of the log-ratio margin, per nat; not the beta that responses were drawn with."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2309.06657 (sigmoid-norm)."""
        from torch.nn.functional import logsigmoid

        ratios = batch.log_ratios(mean=False)
        rewards = Sides(self.gamma * ratios.chosen, self.gamma * ratios.rejected)
        loss = -logsigmoid(rewards.chosen - rewards.rejected)
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


VARIANT = RSOSigmoidNorm
