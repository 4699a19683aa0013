"""Self-supervised preference degrees: the model learns to tell how far a response is degraded."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from tasks.errors import ConfigError, DataError
from tasks.losses._contract import Loss
from tasks.losses._modified import Inner, check_pairs
from tasks.training.loss_batch import Degrees, LossBatch, LossResult
from tasks.variants import kind_of

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class SPODegree(Loss):
    """A loss on pairs plus the cross-entropy of a head that names the degree of variants.

    A variant is a response with a share of its key phrases taken out; degree 0 is the response as
    it is. The head reads the last hidden state and is dropped at export. The paper's abstract gives
    the idea; number of degrees, weight and pooling are ours.
    """

    EXAMPLE: ClassVar[dict[str, Any]] = {"loss": {"kind": "dpo"}, "weight": 0.1}
    NEUTRAL: ClassVar[dict[str, Any] | None] = {"loss": {"kind": "dpo"}, "weight": 0.0}

    loss: Inner
    """The loss on pairs that goes with it."""
    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
    """Weight of the cross-entropy (lambda); 0: the loss alone, without a head."""
    num_degrees: Annotated[int, Field(ge=2)] = 3
    """Degrees to tell apart, the response as it is among them."""

    def __post_init__(self) -> None:
        check_pairs("spo_degree", self.loss)
        if self.loss.HEAD_CLASSES:
            raise ConfigError(f"spo_degree: {kind_of(self.loss)!r} has a head already; keep one")
        self._declare_needs_of([self.loss])
        if self.weight:
            self._declare(HEAD_CLASSES=self.num_degrees)
        else:
            self._declare(AT_REFERENCE=self.loss.AT_REFERENCE)

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair plus weight x the mean cross-entropy over its variants.

        Source: the idea, arXiv:2409.17791.
        """
        result: LossResult = self.loss(batch)
        if not self.weight:
            return result
        if batch.degrees is None:
            raise DataError("spo_degree needs degraded variants, but the batch has no degrees")
        entropy, right = _by_pair(batch.degrees, len(result.loss))
        metrics = {"degree_loss": entropy.detach(), "degree_accuracy": right}
        loss = result.loss + self.weight * entropy
        return LossResult(loss=loss, metrics=dict(result.metrics) | metrics)


def _by_pair(degrees: Degrees, number: int) -> "tuple[Tensor, Tensor]":
    """Mean cross-entropy and accuracy over each pair's variants, (P,); 0 for a pair without any."""
    from torch.nn.functional import cross_entropy

    entropy = cross_entropy(degrees.logits, degrees.labels, reduction="none")
    right = (degrees.logits.argmax(-1) == degrees.labels).to(entropy.dtype)
    zeros = entropy.new_zeros(number)
    variants = zeros.index_add(0, degrees.pairs, entropy.new_ones(len(entropy))).clamp(min=1)
    return (
        zeros.index_add(0, degrees.pairs, entropy) / variants,
        zeros.index_add(0, degrees.pairs, right) / variants,
    )


VARIANT = SPODegree
