"""SLiC's calibration loss: a hinge on the policy's own log-probabilities."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.training.loss_batch import LossBatch, LossResult, Sides, preference_metrics


@dataclass(frozen=True, kw_only=True)
class SLiCHinge:
    """Zero once chosen is 1 / gamma nats likelier than rejected; no reference."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"gamma": 0.05}
    SEMANTICS: ClassVar[int] = 1
    EXAMPLES_KIND: ClassVar[str] = "pair"
    REQUIRES: ClassVar[tuple[str, ...]] = ()
    USES_REFERENCE: ClassVar[bool] = False
    NEUTRAL: ClassVar[dict[str, Any] | None] = None
    AT_REFERENCE: ClassVar[float | None] = None

    gamma: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.05
    """Scale of the log-probability margin, per nat."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2309.06657 (hinge), after arXiv:2305.10425."""
        logps = batch.sums()
        rewards = Sides(self.gamma * logps.chosen, self.gamma * logps.rejected)
        loss = (1 - (rewards.chosen - rewards.rejected)).clamp(min=0)
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


VARIANT = SLiCHinge
