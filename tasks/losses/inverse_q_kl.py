"""Inverse-Q* as a divergence: cross-entropy from a teacher to the policy, on sampled tokens."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult, average, total

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class InverseQKL(Loss):
    """Likelihood of each token, weighed by how much more the teacher wants it than the reference.

    The cross-entropy of the policy under the teacher is E_teacher[-log pi]. Tokens come from the
    reference, so each counts exp(log teacher - log ref): the mean is the cross-entropy, without
    bias where responses were sampled from the reference at temperature 1 with all tokens allowed,
    the teacher is a proper distribution, and no weight is clipped. It differs from the divergence
    KL(teacher || policy) by the teacher's entropy, which no gradient sees. Where teacher and
    reference agree it is imitation of the own responses: its gradient at the reference is 0 in the
    mean over responses, not for each of them. The weight is of the single token, so what came
    before it in the response is taken as the reference wrote it.
    """

    EXAMPLE: ClassVar[dict[str, Any]] = {}
    EXAMPLES_KIND = "response_only"
    TOKEN_COLUMNS = (("chosen", "teacher"),)

    weight_cap: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5.0
    """Largest weight of a token: it bounds the variance, and biases the mean where it clips."""
    reduction: Literal["mean", "sum"] = "mean"
    """Over the tokens of a response."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each response; `teacher` is its log-probability of each token.

        mean_t min(exp(log teacher - log ref), cap) (-log pi).
        Source: the idea, arXiv:2408.14874; importance weights of a sampled cross-entropy.
        """
        side = batch.chosen
        weights_PT, clipped_PT = self._weights(batch)
        reduce = average if self.reduction == "mean" else total
        return LossResult(
            loss=reduce(-weights_PT * side.logps, side.mask),
            metrics={
                "teacher_weight": average(weights_PT, side.mask),
                "teacher_clipped": average(clipped_PT, side.mask),
            },
        )

    def _weights(self, batch: LossBatch) -> "tuple[Tensor, Tensor]":
        """Weight of each token, and 1 where it was clipped, (P, T), without gradient."""
        reference = batch.chosen.references()[0]
        apart = (batch.chosen.column("teacher") - reference).detach()
        cap = apart.new_tensor(self.weight_cap)
        return apart.clamp(max=cap.log()).exp(), (apart > cap.log()).to(apart.dtype)


VARIANT = InverseQKL
