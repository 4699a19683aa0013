"""Inverse-Q*: token by token towards a teacher, without preference pairs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult, average, total

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class InverseQ(Loss):
    """Squared distance of each token's implicit advantage from the teacher's.

    The advantage of a token is beta x (log-probability - reference log-probability); the teacher is
    the reference under another prompt. The paper's equations are not public to us: the regression
    on sampled tokens follows from arXiv:2404.12358 and is ours.
    """

    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 0.1}
    EXAMPLES_KIND = "response_only"
    TOKEN_COLUMNS = (("chosen", "teacher"),)

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Scale of the advantage, per nat of log-ratio."""
    clip: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 5.0
    """The teacher is at most this far from the reference (nats a token); null: any, and then the
    reference plays no part."""
    reduction: Literal["mean", "sum"] = "mean"
    """Over the tokens of a response."""

    def __post_init__(self) -> None:
        if self.clip is None:
            self._declare(USES_REFERENCE=False)

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each response; `teacher` is its log-probability of each token.

        mean_t (beta (log pi - log ref) - A)^2 with A = beta (log teacher - log ref), clipped.
        Source: the idea, arXiv:2408.14874.
        """
        apart = self.beta * (batch.chosen.logps - self._aim(batch))
        reduce = average if self.reduction == "mean" else total
        loss = reduce(apart**2, batch.chosen.mask)
        gap = average(apart.detach().abs(), batch.chosen.mask)
        return LossResult(loss=loss, metrics={"advantage_gap": gap})

    def _aim(self, batch: LossBatch) -> "Tensor":
        """Where each log-probability is to go (nats), (P, T), without gradient."""
        teacher = batch.chosen.column("teacher").detach()
        if self.clip is None:
            return teacher
        reference = batch.chosen.references()[0]
        return reference + (teacher - reference).clamp(-self.clip, self.clip)


VARIANT = InverseQ
