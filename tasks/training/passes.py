"""Dropout whose masks are drawn from outside: a pass is one thinned network for all responses.

One vector of hidden units is dropped at each site, the same at every token (Gal and Ghahramani,
arXiv:1512.05287). In a pass all rows share the masks, so that their scores differ by what they
say and not by chance; in training each pair has masks of its own, both sides the same ones.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tasks.errors import ConfigError
from tasks.seeds import seed_of

Where = Literal["head", "layers"]
BLOCKS = ("mlp", "feed_forward", "ffn")
"""What the feed-forward part of a layer is called, by the kind of model."""


class Thinning:
    """The places of a sequence-classification model where hidden units are dropped."""

    def __init__(self, model: Any, share: float, where: Where) -> None:
        """Put hooks on the head, and with `layers` on the feed-forward part of every layer."""
        self._share = share
        self._width = int(model.config.get_text_config().hidden_size)
        self._masks: list[Tensor] = []
        sites = [*(_blocks(model) if where == "layers" else []), _head(model)]
        for number, site in enumerate(sites[:-1]):
            site.register_forward_hook(self._after(number))
        sites[-1].register_forward_pre_hook(self._before(len(sites) - 1))
        self._sites = len(sites)

    def masks(self, rows: int, *names: str | int) -> list[Tensor]:
        """Masks of each site for so many rows, (rows, 1, width), decided by `names` alone."""
        chance = torch.Generator().manual_seed(seed_of("dropout", *names))
        drawn = torch.rand((self._sites, rows, 1, self._width), generator=chance)
        return list((drawn >= self._share).float() / (1 - self._share))

    @contextmanager
    def using(self, masks: Sequence[Tensor]) -> Iterator[None]:
        """Multiply hidden units by `masks` within the block; one row of them serves all rows."""
        self._masks = list(masks)
        try:
            yield
        finally:
            self._masks = []

    def _after(self, number: int) -> Any:
        def hook(module: nn.Module, given: Any, output: Any) -> Any:
            if not self._masks:
                return output
            if isinstance(output, tuple):
                return (self._thinned(output[0], number), *output[1:])
            return self._thinned(output, number)

        return hook

    def _before(self, number: int) -> Any:
        def hook(module: nn.Module, given: Any) -> Any:
            return (self._thinned(given[0], number), *given[1:]) if self._masks else None

        return hook

    def _thinned(self, hidden: Tensor, number: int) -> Tensor:
        return hidden * self._masks[number].to(hidden)


def _head(model: Any) -> nn.Module:
    head = getattr(model, "score", None)
    if not isinstance(head, nn.Linear):
        raise ConfigError(
            f"{type(model).__name__} has no linear head called `score`, so that nothing is known "
            "of how to thin it; take a decoder model (Llama, Qwen, Gemma, GPT-2, ...)"
        )
    return head


def _blocks(model: Any) -> list[nn.Module]:
    """The feed-forward part of every layer, in the order of the layers."""
    found = [one for name, one in model.named_modules() if name.rpartition(".")[2] in BLOCKS]
    if not found:
        raise ConfigError(
            f"{type(model).__name__} has no part called {', '.join(BLOCKS)}; set "
            "estimator.dropout_at=head"
        )
    return found
