"""Anchored preference optimisation: chosen up, rejected down, each on its own."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.training.loss_batch import LossBatch, LossResult, Sides, preference_metrics


@dataclass(frozen=True, kw_only=True)
class APOZero:
    """Raises chosen and lowers rejected responses against the reference."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 0.1}
    SEMANTICS: ClassVar[int] = 1
    EXAMPLES_KIND: ClassVar[str] = "pair"
    REQUIRES: ClassVar[tuple[str, ...]] = ()
    USES_REFERENCE: ClassVar[bool] = True
    NEUTRAL: ClassVar[dict[str, Any] | None] = None
    AT_REFERENCE: ClassVar[float | None] = 1.0

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Scale of the implicit reward, per nat of log-ratio."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2408.06266 (APO-zero)."""
        ratios = batch.log_ratios(mean=False)
        rewards = Sides(self.beta * ratios.chosen, self.beta * ratios.rejected)
        loss = 1 - rewards.chosen.sigmoid() + rewards.rejected.sigmoid()
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


VARIANT = APOZero
