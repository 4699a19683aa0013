"""Examples as padded rows: each distinct response of a prompt once, pairs as indices of rows.

Shape suffixes: R rows, L sequence positions, N response tokens of all rows, T response positions
of a row, P pairs (or single responses), K references.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tasks.errors import DataError
from tasks.training.examples import Examples, Floats, Ints

SAME_LOGP = 0.5
"""Nats a token: equal responses of two cells are scored in other batches, equal up to rounding."""


@dataclass(kw_only=True)
class Row:
    """One prompt with one response."""

    prompt: Ints
    response: Ints
    reference: Floats | None = None

    @property
    def num_tokens(self) -> int:
        """Tokens of prompt and response."""
        return len(self.prompt) + len(self.response)


@dataclass(kw_only=True)
class PromptGroup:
    """The distinct responses of one prompt, and the examples over them."""

    rows: list[Row] = field(default_factory=list)
    pairs: list[tuple[int, int]] = field(default_factory=list)
    """Chosen and rejected row of each example; rejected is -1 for response-only examples."""
    examples: list[int] = field(default_factory=list)
    """Row of the examples' table that each pair comes from."""

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return max(row.num_tokens for row in self.rows)


@dataclass(frozen=True, kw_only=True)
class PackedRows:
    """Rows padded at the right, ready for the model."""

    ids_RL: Tensor
    mask_RL: Tensor
    """1 where there is a token: padding is told by position, never by the pad id."""
    predicts_N: Tensor
    """Flat positions (row * L + position) whose output predicts a response token."""
    targets_N: Tensor
    """The response tokens."""
    slots_N: Tensor
    """Flat places (row * T + position) of the response tokens."""
    response_mask_RT: Tensor
    num_tokens: int
    """Tokens without padding."""


@dataclass(frozen=True, kw_only=True)
class MicroBatch:
    """Whole prompts that are forwarded together."""

    rows: PackedRows
    pairs_P2: Tensor
    """Chosen and rejected row of each example."""
    weights_P: Tensor
    columns: dict[str, Tensor]
    reference_KRT: Tensor | None
    has_rejected: bool


def group_prompt(examples: Examples, rows: Iterable[int]) -> PromptGroup:
    """The examples `rows` of one prompt, equal responses merged.

    Raises DataError if equal responses come with different reference log-probabilities.
    """
    group = PromptGroup()
    found: dict[tuple[bytes, bytes], int] = {}
    for index in (int(row) for row in rows):
        prompt = examples.prompt_ids[index]
        sides = [_Side(examples.chosen_ids, examples.chosen_logps)]
        if examples.rejected_ids is not None:
            sides.append(_Side(examples.rejected_ids, examples.rejected_logps))
        places = [_place(group, found, prompt, side, index) for side in sides]
        group.pairs.append((places[0], places[1] if len(places) > 1 else -1))
        group.examples.append(index)
    return group


@dataclass(frozen=True)
class _Side:
    ids: Any
    logps: Any

    def row(self, prompt: Ints, index: int) -> Row:
        reference = None if self.logps is None else self.logps[index]
        return Row(prompt=prompt, response=self.ids[index], reference=reference)


def _place(
    group: PromptGroup, found: dict[tuple[bytes, bytes], int], prompt: Ints, side: _Side, index: int
) -> int:
    row = side.row(prompt, index)
    key = (row.prompt.tobytes(), row.response.tobytes())
    place = found.setdefault(key, len(group.rows))
    if place == len(group.rows):
        group.rows.append(row)
    elif not _same_reference(row, group.rows[place]):
        raise DataError(
            f"row {index} of the examples has other reference log-probabilities than an earlier "
            "row with the same response; score the responses again"
        )
    return place


def _same_reference(one: Row, other: Row) -> bool:
    if one.reference is None or other.reference is None:
        return one.reference is other.reference
    return np.allclose(one.reference, other.reference, rtol=0, atol=SAME_LOGP)


def micro_batches(
    examples: Examples, prompts: Iterable[int], tokens: int, device: torch.device
) -> list[MicroBatch]:
    """The examples of `prompts`, by length, in micro-batches of at most `tokens` padded tokens.

    A prompt is never split; one that is larger than the budget comes alone.
    """
    groups = [group_prompt(examples, examples.prompts[prompt]) for prompt in prompts]
    groups.sort(key=lambda group: group.longest)
    return [_pack(examples, part, device) for part in _cut(groups, tokens)]


def _cut(groups: Sequence[PromptGroup], tokens: int) -> Iterator[list[PromptGroup]]:
    """Runs of `groups`; they come by length, so the last one of a run decides its padding."""
    part: list[PromptGroup] = []
    num_rows = 0
    for group in groups:
        if part and (num_rows + len(group.rows)) * group.longest > tokens:
            yield part
            part, num_rows = [], 0
        part.append(group)
        num_rows += len(group.rows)
    yield part


def _pack(examples: Examples, groups: Sequence[PromptGroup], device: torch.device) -> MicroBatch:
    rows = [row for group in groups for row in group.rows]
    firsts = np.cumsum([0, *(len(group.rows) for group in groups)])
    pairs = [
        (chosen + first, rejected + first)
        for group, first in zip(groups, firsts[:-1].tolist(), strict=True)
        for chosen, rejected in group.pairs
    ]
    used = [index for group in groups for index in group.examples]
    packed = pack_rows(rows, device)
    return MicroBatch(
        rows=packed,
        pairs_P2=torch.tensor(pairs, device=device),
        weights_P=_floats(examples.weights[used], device),
        columns={name: _floats(column[used], device) for name, column in examples.columns.items()},
        reference_KRT=_references(rows, packed),
        has_rejected=examples.rejected_ids is not None,
    )


def _floats(values: Any, device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device)


def pack_rows(rows: Sequence[Row], device: torch.device) -> PackedRows:
    """`rows` padded to the longest one."""
    prompts = np.array([len(row.prompt) for row in rows])
    responses = np.array([len(row.response) for row in rows])
    width, depth = int((prompts + responses).max()), int(responses.max())
    ids = np.zeros((len(rows), width), dtype=np.int64)
    for place, row in enumerate(rows):
        ids[place, : prompts[place]] = row.prompt
        ids[place, prompts[place] : prompts[place] + responses[place]] = row.response
    columns = np.arange(width)
    response_mask = np.arange(depth) < responses[:, None]
    of_row, position = np.nonzero(response_mask)
    flat = of_row * width + prompts[of_row] + position
    return PackedRows(
        ids_RL=torch.from_numpy(ids).to(device),
        mask_RL=_long(columns < (prompts + responses)[:, None], device),
        predicts_N=torch.from_numpy(flat - 1).to(device),
        targets_N=torch.from_numpy(ids.reshape(-1)[flat]).to(device),
        slots_N=torch.from_numpy(of_row * depth + position).to(device),
        response_mask_RT=_floats(response_mask, device),
        num_tokens=int((prompts + responses).sum()),
    )


def _long(values: Any, device: torch.device) -> Tensor:
    return torch.from_numpy(values.astype(np.int64)).to(device)


def _references(rows: Sequence[Row], packed: PackedRows) -> Tensor | None:
    references = [row.reference for row in rows if row.reference is not None]
    if not references:
        return None
    mask_RT = packed.response_mask_RT
    flat = torch.zeros(mask_RT.numel(), dtype=torch.float32, device=mask_RT.device)
    flat[packed.slots_N] = _floats(np.concatenate(references), mask_RT.device)
    return flat.view(1, *mask_RT.shape)
