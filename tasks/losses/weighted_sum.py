"""A weighted sum of losses over the same examples."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.errors import ConfigError
from tasks.losses._contract import Loss
from tasks.losses._modified import Inner
from tasks.training.loss_batch import LossBatch, LossResult
from tasks.variants import kind_of

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Term:
    """One of the losses and how much it counts."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )

    loss: Inner
    """The loss."""
    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """Factor of the loss."""


@dataclass(frozen=True, kw_only=True)
class WeightedSum(Loss):
    """Several losses at once; on pairs, one on single responses sees the chosen ones."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "terms": {
            "preference": {"loss": {"kind": "dpo"}},
            "imitation": {"loss": {"kind": "sft"}, "weight": 0.2},
        }
    }
    NEUTRAL: ClassVar[dict[str, Any] | None] = {"terms": {"preference": {"loss": {"kind": "dpo"}}}}

    terms: Annotated[dict[str, Term], Field(min_length=1)]
    """The losses by names of your own; each is reported as `loss_NAME`."""

    def __post_init__(self) -> None:
        losses = {name: term.loss for name, term in self.terms.items()}
        _check_together(losses)
        self._declare_needs_of(list(losses.values()))
        known = [loss.AT_REFERENCE for loss in losses.values() if loss.AT_REFERENCE is not None]
        if len(known) == len(losses):
            weights = [term.weight for term in self.terms.values()]
            at = sum(weight * value for weight, value in zip(weights, known, strict=True))
            self._declare(AT_REFERENCE=at)

    def __call__(self, batch: LossBatch) -> LossResult:
        """The sum, with all terms' metrics; of metrics with one name, the first term's."""
        results = {name: term.loss(batch) for name, term in self.terms.items()}
        metrics: dict[str, Tensor] = {}
        for result in results.values():
            metrics = dict(result.metrics) | metrics
        each = {f"loss_{name}": result.loss.detach() for name, result in results.items()}
        return LossResult(loss=self._sum(results), metrics=metrics | each)

    def _sum(self, results: Mapping[str, LossResult]) -> "Tensor":
        first, *others = [term.weight * results[name].loss for name, term in self.terms.items()]
        for other in others:
            first = first + other
        return first


def _check_together(losses: Mapping[str, Loss]) -> None:
    """Raise ConfigError for losses that cannot share a batch."""
    kinds = {kind_of(loss): loss.EXAMPLES_KIND for loss in losses.values()}
    if "unpaired" in kinds.values() and set(kinds.values()) != {"unpaired"}:
        told = ", ".join(f"{name} on {kind}" for name, kind in kinds.items())
        raise ConfigError(
            f"weighted_sum: {told} examples; responses of which some are undesirable go with "
            "neither pairs nor imitation: take one or the other"
        )
    heads = [name for name, loss in losses.items() if loss.HEAD_CLASSES]
    if len(heads) > 1:
        raise ConfigError(f"weighted_sum: {' and '.join(heads)} both have a head; keep one of them")


VARIANT = WeightedSum
