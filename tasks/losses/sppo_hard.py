"""Self-play preference optimisation with hard labels."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.training.loss_batch import LossBatch, LossResult, Sides, preference_metrics


@dataclass(frozen=True, kw_only=True)
class SPPOHard:
    """Each side's log-ratio on its own towards 1 / (2 beta) and -1 / (2 beta)."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 0.1}
    SEMANTICS: ClassVar[int] = 1
    EXAMPLES_KIND: ClassVar[str] = "pair"
    REQUIRES: ClassVar[tuple[str, ...]] = ()
    USES_REFERENCE: ClassVar[bool] = True
    NEUTRAL: ClassVar[dict[str, Any] | None] = None
    AT_REFERENCE: ClassVar[float | None] = 50.0

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """1 / (2 beta) is where each log-ratio is to go (nats)."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2405.00675, with win probabilities 1 and 0."""
        ratios = batch.log_ratios(mean=False)
        rewards = Sides(self.beta * ratios.chosen, self.beta * ratios.rejected)
        goal = 1 / (2 * self.beta)
        loss = (ratios.chosen - goal) ** 2 + (ratios.rejected + goal) ** 2
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


VARIANT = SPPOHard
