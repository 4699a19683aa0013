"""Multi-reference preference optimisation: DPO against a mean of several references."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from tasks.errors import ConfigError, DataError
from tasks.losses._contract import Loss
from tasks.training.loss_batch import LossBatch, LossResult, Sides, logistic, preference_metrics

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST = 1e-6
"""Smallest preference of a reference (nats) in adaptive weights: none has weight 0."""


@dataclass(frozen=True, kw_only=True)
class MRPO(Loss):
    """DPO whose reference is a weighted mean of all references, the first of them the base.

    The released code gives the weight of each of two references to the other; ours does not. Two
    cautions: the harmonic mean is close to the lowest reference, so keep the clip; adaptive weights
    look at which response is chosen (arXiv:2512.10040 finds single references better).
    """

    EXAMPLE: ClassVar[dict[str, Any]] = {"beta": 0.1}
    NEUTRAL: ClassVar[dict[str, Any] | None] = {}
    REFERENCES = "many"
    REFERENCE_TOKENS = False

    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Scale of the implicit reward, per nat of log-ratio."""
    mean: Literal["harmonic", "geometric"] = "harmonic"
    """Of the references' probabilities: harmonic (paper), or geometric, the optimum of the summed
    divergences, which no single reference dominates."""
    weights: tuple[Annotated[float, Field(gt=0, le=1)], ...] | None = None
    """Weight of each reference, base first, sum 1; null: for each pair by how strongly a reference
    prefers one of its responses."""
    clip: Annotated[float, Field(ge=0, lt=1)] | None = 0.1
    """Other references' log-probabilities stay within this share of the base's; null: no clip."""
    clip_by_length: bool = True
    """Share `clip` between the sides by their log-probabilities; false: all of it for each."""
    as_released: bool = False
    """Swap the weights of two references, as the released code does."""

    def __post_init__(self) -> None:
        if self.weights is not None and not math.isclose(sum(self.weights), 1, abs_tol=1e-6):
            raise ConfigError(f"mrpo: weights sum to {sum(self.weights):g}; make it 1")
        numbers = {2} if self.as_released else set()
        if self.weights is not None:
            numbers.add(len(self.weights))
        if len(numbers) > 1:
            raise ConfigError(
                f"mrpo as released takes 2 references, and weights has {len(self.weights or ())}"
            )
        self._declare(NUM_REFERENCES=numbers.pop() if numbers else None)

    def __call__(self, batch: LossBatch) -> LossResult:
        """Loss of each pair; with a single reference it is DPO bit for bit.

        -log sigmoid(m) against log ref = -logsumexp_k(log w_k - log ref_k) or sum_k w_k log ref_k.
        Source: arXiv:2405.16388.
        """
        totals = Sides(*(side.reference_totals() for side in batch.pair()))
        weights_KP = self._weights(totals)
        clipped = self._clipped(totals)
        ratios = batch.log_ratios(mean=False)
        apart = [self._virtual(one, weights_KP) - one[0] for one in clipped]
        rewards = Sides(*(ratio - far for ratio, far in zip(ratios, apart, strict=True)))
        rewards = rewards.times(self.beta)
        return LossResult(loss=logistic(rewards.margin), metrics=preference_metrics(rewards))

    def _weights(self, totals_KP: Sides) -> "Tensor":
        """Weight of each reference in each pair, (K, P), summing to 1."""
        preference = totals_KP.margin.abs().clamp(min=SMALLEST)
        number = len(preference)
        if self.NUM_REFERENCES not in (None, number):
            raise DataError(
                f"mrpo takes {self.NUM_REFERENCES} references by its weights or as released; "
                f"the examples have {number}"
            )
        weights = preference / preference.sum(0)
        if self.weights is not None:
            weights = preference.new_tensor(self.weights)[:, None].expand_as(preference)
        return weights.flip(0) if self.as_released else weights

    def _clipped(self, totals_KP: Sides) -> Sides:
        """The references, each at most a share of the base's log-probability away from it."""
        if self.clip is None:
            return totals_KP
        sizes = Sides(*(one.mean(0).abs() for one in totals_KP))
        both = (sizes.chosen + sizes.rejected).clamp(min=SMALLEST)
        return Sides(
            _near(totals_KP.chosen, self._share(sizes.chosen / both)),
            _near(totals_KP.rejected, self._share(sizes.rejected / both)),
        )

    def _share(self, of_size_P: "Tensor") -> "Tensor":
        """How far references may be from the base, as a share of its log-probability, (P,)."""
        clip = self.clip or 0.0
        return clip * (of_size_P if self.clip_by_length else of_size_P.new_ones(()))

    def _virtual(self, totals_KP: "Tensor", weights_KP: "Tensor") -> "Tensor":
        """Log-probability of a response under the mean of the references (nats), (P,)."""
        if self.mean == "geometric":
            return (weights_KP * totals_KP).sum(0)
        return -(weights_KP.log() - totals_KP).logsumexp(0)


def _near(totals_KP: "Tensor", share: "Tensor") -> "Tensor":
    """Log-probabilities clipped to base x (1 + share) ... base x (1 - share); base is negative."""
    import torch

    base = totals_KP[0]
    return torch.clamp(totals_KP, min=base * (1 + share), max=base * (1 - share))


VARIANT = MRPO
