"""Identity preference optimisation: a margin to reach, not to exceed."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.training.loss_batch import LossBatch, LossResult, Sides, preference_metrics


@dataclass(frozen=True, kw_only=True)
class IPO:
    """Squared distance of the log-ratio margin from 1 / (2 beta): no gain beyond it."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 0.1}
    SEMANTICS: ClassVar[int] = 1
    EXAMPLES_KIND: ClassVar[str] = "pair"
    REQUIRES: ClassVar[tuple[str, ...]] = ()
    USES_REFERENCE: ClassVar[bool] = True
    NEUTRAL: ClassVar[dict[str, Any] | None] = None
    AT_REFERENCE: ClassVar[float | None] = 25.0

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """1 / (2 beta) is the margin to reach (nats)."""
    length_normalised: bool = False
    """Take the mean of the log-ratio over tokens instead of its sum."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2310.12036 eq. 17 (sum over tokens)."""
        ratios = batch.log_ratios(mean=self.length_normalised)
        rewards = Sides(self.beta * ratios.chosen, self.beta * ratios.rejected)
        loss = (ratios.chosen - ratios.rejected - 1 / (2 * self.beta)) ** 2
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


VARIANT = IPO
