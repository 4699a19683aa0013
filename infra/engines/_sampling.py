"""Which rows are drawn together, and how a row's next token follows from logits and its seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from infra.engines._contract import Decoding
from tasks.errors import DataError


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One response to draw."""

    position: int
    """Index of the request in its shard."""
    prompt_ids: tuple[int, ...]
    """The rendered prompt."""
    seed: int
    """Seed of the row's generator."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """One response."""

    position: int
    """As in its row."""
    token_ids: list[int]
    """A stop id at the end iff it ended by itself."""
    finish_reason: str
    """stop or length."""


def batches(rows: Sequence[Row], max_tokens: int, batch_tokens: int) -> Iterator[list[Row]]:
    """`rows` in batches of similar prompt length, a function of the rows alone.

    Shortest prompts first; rows of one prompt stand together. A batch holds at most
    `batch_tokens` prompt and response tokens, but always one row.
    """
    first: dict[tuple[int, ...], int] = {}
    for row in rows:
        first.setdefault(row.prompt_ids, row.position)
    ordered = sorted(
        rows, key=lambda row: (len(row.prompt_ids), first[row.prompt_ids], row.position)
    )
    batch: list[Row] = []
    for row in ordered:
        if batch and (len(batch) + 1) * (len(row.prompt_ids) + max_tokens) > batch_tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def uniforms(seeds: Sequence[int], count: int) -> Tensor:
    """`count` numbers in [0, 1) per seed, float64 (rows, count), the same on every device."""
    drawn = torch.empty(len(seeds), count, dtype=torch.float64)
    for row, seed in enumerate(seeds):
        generator = torch.Generator().manual_seed(seed)
        drawn[row] = torch.rand(count, generator=generator, dtype=torch.float64)
    return drawn


def choose(logits: Tensor, uniform: Tensor, decoding: Decoding) -> Tensor:
    """The next token of each row: logits (rows, vocabulary), uniform (rows,) in [0, 1).

    Inverse of the cumulative distribution in vocabulary order, in float64: a change of 1e-6 in a
    logit (another batch shape) moves a boundary by as little, and hardly ever past `uniform`.
    """
    if decoding.temperature == 0:
        _check_finite(logits.amax(-1))
        return logits.argmax(-1)
    probabilities = torch.softmax(logits.double() / decoding.temperature, -1)
    if decoding.top_p < 1:
        probabilities = nucleus(probabilities, decoding.top_p)
    cumulative = probabilities.cumsum(-1)
    total = cumulative[:, -1:]
    _check_finite(total)
    wanted = torch.minimum(uniform[:, None] * total, torch.nextafter(total, total * 0))
    return torch.searchsorted(cumulative, wanted, right=True).squeeze(-1)


def nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """`probabilities` with 0 for tokens outside the smallest likeliest set of mass `top_p`.

    Tokens as likely as the least likely one of the set stay in. Rows do not sum to 1 any more.
    """
    ordered = probabilities.sort(-1, descending=True).values
    before = ordered.cumsum(-1) - ordered
    last = (before < top_p).sum(-1, keepdim=True) - 1
    return probabilities.where(probabilities >= ordered.gather(-1, last), 0)


def _check_finite(values: Tensor) -> None:
    if not bool(torch.isfinite(values).all()):
        raise DataError(
            "the model gives logits that are NaN or infinite; its weights are broken or its "
            "dtype is too narrow (try dtype: float32)"
        )
