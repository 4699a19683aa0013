"""Label smoothing of any loss on pairs: the label may be wrong."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tasks.errors import ConfigError
from tasks.losses._contract import Loss
from tasks.losses._modified import Inner, check_pairs
from tasks.training.loss_batch import LossBatch, LossResult
from tasks.variants import kind_of


@dataclass(frozen=True, kw_only=True)
class LabelSmoothing(Loss):
    """(1 - noise) x the loss of the pair + noise x the loss of the pair the other way round."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"loss": {"kind": "dpo"}, "noise": 0.1}
    NEUTRAL: ClassVar[dict[str, Any] | None] = {"loss": {"kind": "dpo"}, "noise": 0.0}

    loss: Inner
    """The loss to smooth; one on pairs that has no soft labels of its own."""
    noise: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    """Probability that a label is wrong."""

    def __post_init__(self) -> None:
        check_pairs("label_smoothing", self.loss)
        if self.loss.REQUIRES:
            raise ConfigError(
                f"label_smoothing: {kind_of(self.loss)!r} has soft labels already (it reads "
                f"{', '.join(self.loss.REQUIRES)}); use it without, or smooth another loss"
            )
        self._declare_needs_of([self.loss])
        self._declare(AT_REFERENCE=self.loss.AT_REFERENCE)

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair; of dpo it is cdpo. A likelihood term stays with the chosen response.

        Source: Mitchell, A note on DPO with noisy preferences (2023), for any loss.
        """
        as_labelled: LossResult = self.loss(batch)
        if not self.noise:
            return as_labelled
        turned = self.loss(batch.swapped()).loss
        loss = (1 - self.noise) * as_labelled.loss + self.noise * turned
        return LossResult(loss=loss, metrics=as_labelled.metrics)


VARIANT = LabelSmoothing
