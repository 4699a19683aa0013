"""What all losses that hold another one share."""

from typing import Annotated, Any

from tasks.errors import ConfigError
from tasks.losses._contract import Loss
from tasks.variants import chosen_from, kind_of

Inner = Annotated[Any, *chosen_from("tasks.losses")]
"""A setting that holds a loss, as {kind, ...}."""


def check_pairs(modifier: str, loss: Loss) -> None:
    """Raise ConfigError unless `loss` compares pairs."""
    if loss.EXAMPLES_KIND != "pair":
        raise ConfigError(
            f"{modifier} needs a loss on pairs; {kind_of(loss)!r} trains on {loss.EXAMPLES_KIND} "
            "examples: take another loss, or add it beside with weighted_sum"
        )
