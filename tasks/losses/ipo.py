"""Identity preference optimisation: a margin to reach, not to exceed."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult, preference_metrics


@dataclass(frozen=True, kw_only=True)
class IPO(Loss):
    """Squared distance of the log-ratio margin from 1 / (2 beta): no gain beyond it.

    The paper says nothing of length. Its authors told TRL's that their results are those of means
    over tokens; of sums, the square grows with the length of the responses.
    """

    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 0.1}
    SEMANTICS = 2

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """1 / (2 beta) is the margin to reach (nats a token, or nats)."""
    length_normalised: bool = True
    """Take the mean of the log-ratio over tokens; false: its sum, as the paper's equation reads."""

    def __post_init__(self) -> None:
        self._declare(AT_REFERENCE=1 / (2 * self.beta) ** 2)

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair. Source: arXiv:2310.12036 eq. 17."""
        ratios = batch.log_ratios(mean=self.length_normalised)
        loss = (ratios.margin - 1 / (2 * self.beta)) ** 2
        return LossResult(loss=loss, metrics=preference_metrics(ratios.times(self.beta)))


VARIANT = IPO
