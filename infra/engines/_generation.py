"""The sampling loop over a causal language model: shared prefill, cache, rows leave when done."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from infra.engines._cache import roomy_cache
from infra.engines._contract import Decoding
from infra.engines._sampling import Drawn, Row, choose, uniforms

COMPACT_BELOW = 0.75
"""Finished rows are taken out of the batch once this share or less of its rows is alive."""


class Sampler:
    """Draws batches of rows from `model`, a causal language model in eval mode."""

    def __init__(self, model: Any, decoding: Decoding, stop_ids: Sequence[int]) -> None:
        self._model = model
        self._decoding = decoding
        self._stop = torch.tensor(sorted(set(stop_ids)), dtype=torch.long, device=model.device)
        self._takes = set(inspect.signature(model.forward).parameters)

    @torch.inference_mode()
    def draw(self, rows: Sequence[Row], on_step: Callable[[int], None]) -> list[Drawn]:
        """One response per row, by position; `on_step` gets how many ended at each step."""
        batch = self._prefilled(rows)
        done: list[Drawn] = []
        for step in range(self._decoding.max_tokens):
            token = choose(batch.logits, batch.uniform[:, step], self._decoding)
            ended = batch.take(step, token, torch.isin(token, self._stop))
            on_step(len(ended))
            done += ended
            if len(done) == len(rows):
                break
            batch.compact()
            self._advance(batch, step)
        return sorted(done, key=lambda drawn: drawn.position)

    def _prefilled(self, rows: Sequence[Row]) -> "_Batch":
        """Read each distinct prompt once, then give every row its own copy of the cache."""
        ids, mask, prompt_of = _padded([row.prompt_ids for row in rows], self._model.device)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        cache = roomy_cache(self._model.config)
        output = self._forward(ids, None if bool(mask.all()) else mask, positions, cache)
        cache.reorder_cache(prompt_of)
        logits = output.logits[prompt_of, -1]
        return _Batch(rows, self._decoding.max_tokens, mask[prompt_of], cache, logits)

    def _advance(self, batch: "_Batch", step: int) -> None:
        """Feed the tokens of `step`; the logits of the next step replace the batch's."""
        token, positions = batch.tokens[:, step, None], (batch.lengths + step)[:, None]
        output = self._forward(token, batch.mask_through(step), positions, batch.cache)
        batch.logits = output.logits[:, -1]

    def _forward(self, ids: Tensor, mask: Tensor | None, positions: Tensor, cache: Any) -> Any:
        optional = {"position_ids": positions, "logits_to_keep": 1}
        accepted = {name: value for name, value in optional.items() if name in self._takes}
        return self._model(
            input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, **accepted
        )


class _Batch:
    """The rows still in the batch; tensors have one line per row."""

    def __init__(
        self, rows: Sequence[Row], max_tokens: int, mask: Tensor, cache: Any, logits: Tensor
    ) -> None:
        device = logits.device
        self.cache = cache
        self.logits = logits
        self.uniform = uniforms([row.seed for row in rows], max_tokens).to(device)
        self.tokens = torch.zeros(len(rows), max_tokens, dtype=torch.long, device=device)
        self.lengths = mask.sum(-1)
        self._rows = list(rows)
        self._alive = torch.ones(len(rows), dtype=torch.bool, device=device)
        self._prompt_width = mask.shape[1]
        self._mask = (
            None if bool(mask.all()) else torch.cat([mask, mask.new_ones(self.tokens.shape)], -1)
        )

    def take(self, step: int, token: Tensor, is_stop: Tensor) -> list[Drawn]:
        """Write down the tokens of `step`; the responses that end with it."""
        self.tokens[:, step] = token
        last = step + 1 == self.tokens.shape[1]
        ending = self._alive if last else self._alive & is_stop
        self._alive = self._alive & ~ending
        stopped = is_stop.tolist()
        return [
            Drawn(
                position=self._rows[index].position,
                token_ids=self.tokens[index, : step + 1].tolist(),
                finish_reason="stop" if stopped[index] else "length",
            )
            for index in ending.nonzero().flatten().tolist()
        ]

    def compact(self) -> None:
        """Take finished rows out of every tensor and of the cache, if there are enough of them."""
        keep = self._alive.nonzero().flatten()
        if len(keep) > COMPACT_BELOW * len(self._rows):
            return
        self._rows = [self._rows[index] for index in keep.tolist()]
        self._alive = self._alive[keep]
        self.cache.reorder_cache(keep)
        self.uniform, self.tokens = self.uniform[keep], self.tokens[keep]
        self.lengths = self.lengths[keep]
        self._mask = None if self._mask is None else self._mask[keep]

    def mask_through(self, step: int) -> Tensor | None:
        """Which cached positions are real, the token of `step` included; None if all are."""
        return None if self._mask is None else self._mask[:, : self._prompt_width + step + 1]


def _padded(
    prompts: Sequence[tuple[int, ...]], device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """The distinct prompts padded on the left, their mask, and which one each row has."""
    distinct = list(dict.fromkeys(prompts))
    width = max(len(prompt) for prompt in distinct)
    ids = torch.zeros(len(distinct), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for index, prompt in enumerate(distinct):
        ids[index, width - len(prompt) :] = torch.tensor(prompt)
        mask[index, width - len(prompt) :] = 1
    number = {prompt: index for index, prompt in enumerate(distinct)}
    prompt_of = torch.tensor([number[prompt] for prompt in prompts])
    return ids.to(device), mask.to(device), prompt_of.to(device)
