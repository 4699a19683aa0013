"""Self-play preference optimisation with hard labels."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult, preference_metrics


@dataclass(frozen=True, kw_only=True)
class SPPOHard(Loss):
    """Each side's log-ratio on its own towards 1 / (2 beta) and -1 / (2 beta)."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 0.1}

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """1 / (2 beta) is where each log-ratio is to go (nats)."""

    def __post_init__(self) -> None:
        self._declare(AT_REFERENCE=2 / (2 * self.beta) ** 2)

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2405.00675, with win probabilities 1 and 0."""
        ratios = batch.log_ratios(mean=False)
        goal = 1 / (2 * self.beta)
        loss = (ratios.chosen - goal) ** 2 + (ratios.rejected + goal) ** 2
        return LossResult(loss=loss, metrics=preference_metrics(ratios.times(self.beta)))


VARIANT = SPPOHard
