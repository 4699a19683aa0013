"""Simple preference optimisation: mean log-probability and a margin, no reference."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.training.loss_batch import LossBatch, LossResult, Sides, preference_metrics


@dataclass(frozen=True, kw_only=True)
class SimPO:
    """Logistic loss on the difference of mean token log-probabilities, less a margin."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 2.0, "margin": 1.0}
    SEMANTICS: ClassVar[int] = 1
    EXAMPLES_KIND: ClassVar[str] = "pair"
    REQUIRES: ClassVar[tuple[str, ...]] = ()
    USES_REFERENCE: ClassVar[bool] = False
    NEUTRAL: ClassVar[dict[str, Any] | None] = None
    AT_REFERENCE: ClassVar[float | None] = None

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 2.0
    """Scale of the mean token log-probability."""
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """By how much chosen has to lead, in units of the scaled difference (gamma in the paper)."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2405.14734 eq. 6."""
        from torch.nn.functional import logsigmoid

        means = batch.means()
        rewards = Sides(self.beta * means.chosen, self.beta * means.rejected)
        loss = -logsigmoid(rewards.chosen - rewards.rejected - self.margin)
        return LossResult(loss=loss, metrics=preference_metrics(rewards))


VARIANT = SimPO
