"""Direct preference optimisation."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.training.loss_batch import LossBatch, LossResult, Sides, preference_metrics


@dataclass(frozen=True, kw_only=True)
class DPO:
    """-log sigmoid of the difference of the implicit rewards."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 0.1}
    SEMANTICS: ClassVar[int] = 1
    EXAMPLES_KIND: ClassVar[str] = "pair"
    REQUIRES: ClassVar[tuple[str, ...]] = ()
    USES_REFERENCE: ClassVar[bool] = True
    NEUTRAL: ClassVar[dict[str, Any] | None] = {}
    AT_REFERENCE: ClassVar[float | None] = math.log(2)

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Scale of the implicit reward, per nat of log-ratio."""
    sft_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Weight of the chosen response's token-mean negative log-likelihood, added to the loss."""
    length_normalised: bool = False
    """Take the mean of the log-ratio over tokens instead of its sum."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2305.18290 eq. 7."""
        from torch.nn.functional import logsigmoid

        ratios = batch.log_ratios(mean=self.length_normalised)
        rewards = Sides(self.beta * ratios.chosen, self.beta * ratios.rejected)
        loss = -logsigmoid(rewards.chosen - rewards.rejected)
        if self.sft_weight:
            loss = loss + self.sft_weight * batch.chosen_nll()
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


VARIANT = DPO
