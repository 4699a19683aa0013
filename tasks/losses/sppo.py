"""Self-play preference optimisation: single responses towards how often they win."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult


@dataclass(frozen=True, kw_only=True)
class SPPO(Loss):
    """The log-ratio of each response towards (P - 1/2) / beta, P its probability to win."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 0.1}
    EXAMPLES_KIND = "unpaired"
    REQUIRES = ("desirable",)

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """1 / (2 beta) is where the log-ratio of one that always wins is to go (nats); the paper's eta
    is 1 / beta."""

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each response; `desirable` is its probability to win against the policy.

        (log(pi / ref) - (P - 1/2) / beta)^2. Source: arXiv:2405.00675 eq. 4.4, in which 1/2 stands
        for the logarithm of the normaliser.
        """
        ratio = batch.chosen.log_ratio(mean=False)
        lead = batch.column("desirable") - 0.5
        gap = ratio - lead / self.beta
        signed = (self.beta * ratio * lead.sign()).detach()
        metrics = {
            "signed_reward": signed,
            "accuracy": (signed.sign() + 1) / 2,
            "distance": gap.detach().abs(),
        }
        return LossResult(loss=gap**2, metrics=metrics)


VARIANT = SPPO
