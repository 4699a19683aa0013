"""What a loss gets and what it gives back.

Shape suffixes: P preference pairs (or single responses), T response positions, padded at the end,
K references. Log-probabilities are natural logs of single tokens; padded positions hold 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tasks.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor


class Sides(NamedTuple):
    """One number per pair for each side, both of shape (P,)."""

    chosen: "Tensor"
    rejected: "Tensor"


@dataclass(frozen=True, kw_only=True)
class LossBatch:
    """Log-probabilities of some pairs, token by token."""

    chosen_logps: "Tensor"
    """Policy, (P, T), fp32, with gradient."""
    chosen_mask: "Tensor"
    """1 where there is a response token, (P, T)."""
    rejected_logps: "Tensor | None" = None
    """Policy, (P, T); None for response-only examples."""
    rejected_mask: "Tensor | None" = None
    """1 where there is a response token, (P, T)."""
    reference_chosen: "Tensor | None" = None
    """References, (K, P, T), without gradient; None for losses without a reference."""
    reference_rejected: "Tensor | None" = None
    """References, (K, P, T), without gradient."""
    columns: "Mapping[str, Tensor]" = field(default_factory=dict)
    """What the loss declares in REQUIRES, each (P,)."""

    def sums(self) -> Sides:
        """The policy's response log-probabilities (nats)."""
        rejected, mask = self._pair_side()
        return Sides(total(self.chosen_logps, self.chosen_mask), total(rejected, mask))

    def means(self) -> Sides:
        """The policy's log-probability per response token (nats)."""
        rejected, mask = self._pair_side()
        return Sides(average(self.chosen_logps, self.chosen_mask), average(rejected, mask))

    def log_ratios(self, *, mean: bool) -> Sides:
        """Policy minus first reference for each response (nats): sum or mean over tokens."""
        rejected, mask = self._pair_side()
        if self.reference_chosen is None or self.reference_rejected is None:
            raise DataError("the loss needs reference log-probabilities; run the score verb first")
        reduce = average if mean else total
        return Sides(
            reduce(self.chosen_logps - self.reference_chosen[0], self.chosen_mask),
            reduce(rejected - self.reference_rejected[0], mask),
        )

    def chosen_nll(self) -> "Tensor":
        """Token-mean negative log-likelihood of the chosen response, (P,)."""
        return -average(self.chosen_logps, self.chosen_mask)

    def _pair_side(self) -> "tuple[Tensor, Tensor]":
        if self.rejected_logps is None or self.rejected_mask is None:
            raise DataError("the loss needs pairs, but the examples have no rejected response")
        return self.rejected_logps, self.rejected_mask


@dataclass(frozen=True, kw_only=True)
class LossResult:
    """The loss of each pair, and what is worth watching."""

    loss: "Tensor"
    """(P,), not yet weighted."""
    metrics: "Mapping[str, Tensor]" = field(default_factory=dict)
    """Each (P,), without gradient; averaged by weight over the optimizer batch."""


def total(values_PT: "Tensor", mask_PT: "Tensor") -> "Tensor":
    """Sum over response positions, (P,)."""
    return (values_PT * mask_PT).sum(-1)


def average(values_PT: "Tensor", mask_PT: "Tensor") -> "Tensor":
    """Mean over response positions, (P,)."""
    return total(values_PT, mask_PT) / mask_PT.sum(-1)


def preference_metrics(rewards: Sides) -> "dict[str, Tensor]":
    """Rewards, margin and accuracy of pairs; an undecided pair is no hit."""
    chosen, rejected = rewards.chosen.detach(), rewards.rejected.detach()
    return {
        "reward_chosen": chosen,
        "reward_rejected": rejected,
        "margin": chosen - rejected,
        "accuracy": (chosen > rejected).to(chosen.dtype),
    }
