"""What a loss gets and what it gives back.

Shape suffixes: P examples (pairs or single responses), T response positions, padded at the end,
K references, V degraded variants of responses, C classes of the auxiliary head.
Log-probabilities are natural logs of single tokens; padded positions hold 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from tasks.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

Named = TypeVar("Named")


class Sides(NamedTuple):
    """One tensor for each side of the pairs; numbers per pair have shape (P,)."""

    chosen: "Tensor"
    rejected: "Tensor"

    @property
    def margin(self) -> "Tensor":
        """Chosen less rejected."""
        return self.chosen - self.rejected

    def times(self, factor: float) -> "Sides":
        """Both sides scaled by `factor`."""
        return Sides(factor * self.chosen, factor * self.rejected)


@dataclass(frozen=True, kw_only=True)
class Side:
    """One response of every example, token by token."""

    logps: "Tensor"
    """Policy, (P, T), fp32, with gradient."""
    mask: "Tensor"
    """1 where there is a response token, (P, T)."""
    reference: "Tensor | None" = None
    """References, (K, P, T), without gradient; None for losses without a reference."""
    columns: "Mapping[str, Tensor]" = field(default_factory=dict)
    """What the loss declares in TOKEN_COLUMNS, each (P, T), without gradient."""
    weights: "Tensor | None" = None
    """How much each token counts in sums, means and log-ratios, (P, T); None: 1 each.

    Lengths stay what they are: a mean divides by the number of tokens, not by their weight.
    """

    def total(self) -> "Tensor":
        """The policy's response log-probability (nats), (P,)."""
        return self._reduced(self.logps, mean=False)

    def mean(self) -> "Tensor":
        """The policy's log-probability per response token (nats), (P,)."""
        return self._reduced(self.logps, mean=True)

    def log_ratio(self, *, mean: bool) -> "Tensor":
        """Policy minus first reference (nats), summed or averaged over tokens, (P,)."""
        return self._reduced(self.logps - self.references()[0], mean=mean)

    def reference_totals(self) -> "Tensor":
        """Each reference's response log-probability (nats), (K, P)."""
        return self._reduced(self.references(), mean=False)

    def nll(self, *, mean: bool) -> "Tensor":
        """Negative log-likelihood (nats), (P,); token weights are for comparing, not for this."""
        return -replace(self, weights=None)._reduced(self.logps, mean=mean)

    def references(self) -> "Tensor":
        """Log-probabilities of all references, (K, P, T)."""
        if self.reference is None:
            raise DataError("the loss needs reference log-probabilities; run the score verb first")
        return self.reference

    def column(self, name: str) -> "Tensor":
        """The token column `name`, (P, T)."""
        return _found(self.columns, name, "a column with one number for each token")

    def weighed(self, weights: "Tensor") -> "Side":
        """The same response with its tokens weighed by `weights`, (P, T), on top of others."""
        return replace(self, weights=weights if self.weights is None else self.weights * weights)

    def _reduced(self, values: "Tensor", *, mean: bool) -> "Tensor":
        weighed = values if self.weights is None else values * self.weights
        return average(weighed, self.mask) if mean else total(weighed, self.mask)


@dataclass(frozen=True, kw_only=True)
class Degrees:
    """What the auxiliary head says of degraded variants of the examples' responses."""

    logits: "Tensor"
    """(V, C), with gradient into head and policy."""
    labels: "Tensor"
    """The degree of each variant, 0 for the response as it is, (V,), integers."""
    pairs: "Tensor"
    """The example that each variant belongs to, (V,), integers."""


@dataclass(frozen=True, kw_only=True)
class LossBatch:
    """Log-probabilities of some examples, and what else their loss declares to need."""

    chosen: Side
    """The chosen, or only, response."""
    rejected: Side | None = None
    """None where examples are no pairs."""
    columns: "Mapping[str, Tensor]" = field(default_factory=dict)
    """What the loss declares in REQUIRES, each (P,), without gradient."""
    others: Mapping[str, Side] = field(default_factory=dict)
    """What the loss declares in OTHERS: further responses, one for each example."""
    degrees: Degrees | None = None
    """For losses with HEAD_CLASSES."""
    imitated: Side | None = None
    """Whose likelihood `chosen_nll` is where that is not `chosen`: sides were swapped."""

    def sums(self) -> Sides:
        """The policy's response log-probabilities (nats)."""
        return Sides(*(side.total() for side in self.pair()))

    def means(self) -> Sides:
        """The policy's log-probability per response token (nats)."""
        return Sides(*(side.mean() for side in self.pair()))

    def log_ratios(self, *, mean: bool) -> Sides:
        """Policy minus first reference for each response (nats): sum or mean over tokens."""
        return Sides(*(side.log_ratio(mean=mean) for side in self.pair()))

    def chosen_nll(self, *, mean: bool = True) -> "Tensor":
        """Negative log-likelihood of the response to imitate (nats), (P,)."""
        return (self.imitated or self.chosen).nll(mean=mean)

    def pair(self) -> tuple[Side, Side]:
        """Chosen and rejected; DataError if the examples are no pairs."""
        if self.rejected is None:
            raise DataError("the loss needs pairs, but the examples have no rejected response")
        return self.chosen, self.rejected

    def column(self, name: str) -> "Tensor":
        """The column `name`, (P,)."""
        return _found(self.columns, name, "a column with one number for each example")

    def other(self, name: str) -> Side:
        """The further response `name` of each example."""
        return _found(self.others, name, "a further response of each example")

    def swapped(self) -> "LossBatch":
        """The pairs with the opposite label; what is imitated stays the same."""
        chosen, rejected = self.pair()
        imitated = self.imitated or chosen
        return replace(self, chosen=rejected, rejected=chosen, imitated=imitated)

    def weighed(self, weights: Sides) -> "LossBatch":
        """The pairs with their tokens weighed, (P, T) a side."""
        chosen, rejected = self.pair()
        return replace(
            self,
            chosen=chosen.weighed(weights.chosen),
            rejected=rejected.weighed(weights.rejected),
        )


@dataclass(frozen=True, kw_only=True)
class LossResult:
    """The loss of each example, and what is worth watching."""

    loss: "Tensor"
    """(P,), not yet weighted."""
    metrics: "Mapping[str, Tensor]" = field(default_factory=dict)
    """Each (P,), without gradient; averaged by weight over the optimizer batch."""


def total(values_PT: "Tensor", mask_PT: "Tensor") -> "Tensor":
    """Sum over response positions, the last dimension."""
    return (values_PT * mask_PT).sum(-1)


def average(values_PT: "Tensor", mask_PT: "Tensor") -> "Tensor":
    """Mean over response positions, the last dimension."""
    return total(values_PT, mask_PT) / mask_PT.sum(-1)


def logistic(margin: "Tensor") -> "Tensor":
    """-log sigmoid(margin), finite for any margin."""
    from torch.nn.functional import logsigmoid

    return -logsigmoid(margin)


def preference_metrics(rewards: Sides) -> "dict[str, Tensor]":
    """Rewards, margin and accuracy of pairs; an undecided pair is no hit."""
    chosen, rejected = rewards.chosen.detach(), rewards.rejected.detach()
    return {
        "reward_chosen": chosen,
        "reward_rejected": rejected,
        "margin": chosen - rejected,
        "accuracy": (chosen > rejected).to(chosen.dtype),
    }


def _found(there: Mapping[str, Named], name: str, what: str) -> Named:
    if name not in there:
        known = ", ".join(there) or "none"
        raise DataError(f"the loss needs {name!r}, {what}; the batch has: {known}")
    return there[name]
