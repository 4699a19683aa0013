"""Where the tokens of packed trees lie, and which of them see which.

A token sees the trunk and its own branch up to itself; positions of every branch continue from the
trunk. Shape suffixes: S packed tokens, R attention rows, Q queries and K keys of a row.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tasks.training.examples import Ints
from tasks.training.trees import Part

WASTE = 1.25
"""Padded area of a block of rows over the area in use, at most: more rows make fewer calls."""
SMALL = 1 << 16
"""Padded area (query x key places) below which waste does not matter."""
NOWHERE = -1
"""Tree of a padding token: it sees itself alone."""


class Row(NamedTuple):
    """Queries with the keys that they may see, as packed places."""

    queries: Ints
    keys: Ints


@dataclass(frozen=True, kw_only=True)
class Block:
    """Rows of similar lengths, computed in one call."""

    queries_RQ: Tensor
    keys_RK: Tensor
    is_query_RQ: Tensor
    is_key_RK: Tensor
    causal: bool
    """Whether each row is one sequence, so that query q sees keys 0..q."""
    masks: dict[tuple[int | None, torch.dtype], Tensor | None] = field(default_factory=dict)
    """Masks made so far, by window and type: layers share them."""

    def mask(self, positions_S: Tensor, window: int | None, dtype: torch.dtype) -> Tensor | None:
        """0 where a key is seen and -inf elsewhere, (R, 1, Q, K); None: the causal kernel does it.

        A window counts positions, so other branches in between do not use it up.
        """
        longest = self.keys_RK.shape[1]
        window = window if window is not None and window < longest else None
        key = (window, dtype)
        if key not in self.masks:
            needed = window is not None or not self.causal
            self.masks[key] = self._mask(positions_S, window, dtype) if needed else None
        return self.masks[key]

    def _mask(self, positions_S: Tensor, window: int | None, dtype: torch.dtype) -> Tensor:
        distance_RQK = positions_S[self.queries_RQ][:, :, None] - positions_S[self.keys_RK][:, None]
        seen_RQK = (distance_RQK >= 0) & self.is_key_RK[:, None]
        if window is not None:
            seen_RQK &= distance_RQK < window
        seen_RQK[:, :, 0] |= ~self.is_query_RQ  # a query without any key would give no number
        mask_RQK = torch.zeros(seen_RQK.shape, dtype=dtype, device=seen_RQK.device)
        return mask_RQK.masked_fill_(~seen_RQK, float("-inf"))[:, None]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Packed trees, token by token."""

    ids_1S: Tensor
    positions_1S: Tensor
    tree_S: Tensor
    branch_S: Tensor
    """Number of the branch within the pack; -1 for trunks."""
    blocks: tuple[Block, ...]
    order_S: Tensor
    """Place of each token among the queries of all blocks."""
    flex_masks: dict[int | None, Any] = field(default_factory=dict)
    """Block masks of flex attention made so far, by window: layers share them."""
    windows: set[int | None] = field(default_factory=set)
    """Sliding windows that layers have asked for; None: a layer that sees everything."""


class Places(NamedTuple):
    """Per packed token: id, position, tree, branch; and the rows of attention."""

    ids: list[Ints]
    positions: list[Ints]
    trees: list[Ints]
    branches: list[Ints]
    whole: list[Row]
    rest: list[Row]


def layout_of(parts: Sequence[Part], device: torch.device, length: int | None = None) -> Layout:
    """`parts` one behind the other, padded to `length` tokens if that is given."""
    places = Places([], [], [], [], [], [])
    at = branch = 0
    for tree, part in enumerate(parts):
        _add(places, part, tree, at, branch)
        at += part.num_tokens
        branch += len(part.branches)
    if length is not None:
        _pad(places, length - at)
    positions = np.concatenate(places.positions)
    rows = [*_blocks(places.whole), *_blocks(places.rest)]
    blocks = tuple(_block(some, device) for some in rows)
    return Layout(
        ids_1S=_tensor(np.concatenate(places.ids), device)[None],
        positions_1S=_tensor(positions, device)[None],
        tree_S=_tensor(np.concatenate(places.trees), device),
        branch_S=_tensor(np.concatenate(places.branches), device),
        blocks=blocks,
        order_S=_tensor(_order(rows, len(positions)), device),
    )


def _add(places: Places, part: Part, tree: int, at: int, branch: int) -> None:
    """Put a tree at packed place `at`; its first branch's row has the trunk's queries as well."""
    trunk = np.arange(at, at + len(part.trunk))
    places.ids.append(part.trunk)
    places.positions.append(np.arange(len(trunk)))
    places.branches.append(np.full(len(trunk), -1))
    here = at + len(trunk)
    for number, one in enumerate(part.branches):
        own = np.arange(here, here + len(one.tokens))
        keys = np.concatenate([trunk, own])
        places.ids.append(one.tokens)
        places.positions.append(np.arange(len(trunk), len(keys)))
        places.branches.append(np.full(len(own), branch + number))
        (places.rest if number else places.whole).append(Row(own if number else keys, keys))
        here += len(own)
    places.trees.append(np.full(here - at, tree))


def _pad(places: Places, missing: int) -> None:
    at = sum(len(ids) for ids in places.ids)
    places.ids.append(np.zeros(missing, dtype=np.int64))
    places.positions.append(np.zeros(missing, dtype=np.int64))
    places.trees.append(np.full(missing, NOWHERE))
    places.branches.append(np.full(missing, -1))
    places.whole.extend(Row(np.array([one]), np.array([one])) for one in range(at, at + missing))


def _blocks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows by length, cut where padding would waste too much."""
    block: list[Row] = []
    used = 0
    for row in sorted(rows, key=lambda row: (len(row.keys), len(row.queries))):
        depth = max(len(one.queries) for one in [*block, row])
        area = (len(block) + 1) * depth * len(row.keys)
        now = len(row.queries) * len(row.keys)
        if block and area > max(SMALL, WASTE * (used + now)):
            yield block
            block, used = [], 0
        block.append(row)
        used += now
    if block:
        yield block


def _block(rows: Sequence[Row], device: torch.device) -> Block:
    queries, is_query = _padded([row.queries for row in rows])
    keys, is_key = _padded([row.keys for row in rows])
    return Block(
        queries_RQ=_tensor(queries, device),
        keys_RK=_tensor(keys, device),
        is_query_RQ=_tensor(is_query, device),
        is_key_RK=_tensor(is_key, device),
        causal=all(len(row.queries) == len(row.keys) for row in rows),
    )


def _padded(lists: Sequence[Ints]) -> tuple[Ints, Any]:
    """The lists as rows of one table, and where it holds something; padding repeats place 0."""
    lengths = np.array([len(one) for one in lists])
    there = np.arange(lengths.max()) < lengths[:, None]
    table = np.zeros(there.shape, dtype=np.int64)
    table[there] = np.concatenate(lists)
    return table, there


def _order(blocks: Sequence[Sequence[Row]], num_tokens: int) -> Ints:
    """For each packed token its place among the queries of all blocks, padding counted."""
    order, at = np.zeros(num_tokens, dtype=np.int64), 0
    for rows in blocks:
        depth = max(len(row.queries) for row in rows)
        for row in rows:
            order[row.queries] = at + np.arange(len(row.queries))
            at += depth
    return order


def _tensor(values: Any, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(device)
