"""The trees of an optimizer step as tensors.

Shape suffixes: S packed tokens, N response tokens, B branches of a group, T response positions of
a branch, P examples, K references, V degraded variants.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tasks.training import processes
from tasks.training.examples import Examples
from tasks.training.layout import Layout, layout_of
from tasks.training.packing import Oversized, Pack, pack
from tasks.training.trees import Branch, Part, Tree, tree_of


@dataclass(frozen=True, kw_only=True)
class Packed:
    """What one forward pass takes."""

    layout: Layout
    predicts_N: Tensor
    """Packed places whose output predicts a response token."""
    targets_N: Tensor
    """The response tokens, branch after branch."""
    lengths_B: Tensor
    """Tokens of each branch that are predicted."""
    ends_B: Tensor
    """Packed place of each branch's last token."""
    num_tokens: int
    """Tokens without padding."""


@dataclass(frozen=True, kw_only=True)
class Variants:
    """Degraded variants of the examples' responses."""

    branches_V: Tensor
    """Branch of each one within the group."""
    degrees_V: Tensor
    """How far it is degraded, 0 for not at all."""
    examples_V: Tensor
    """The example that it belongs to."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Whole trees and the examples over them; several packs where a tree does not fit into one."""

    packs: Sequence[Packed]
    slots_N: Tensor
    """Places (branch * T + position) of the response tokens of all packs."""
    mask_BT: Tensor
    """1 where a branch has a token."""
    reference_KBT: Tensor | None
    sides: Mapping[str, Tensor]
    """Branch of each example, (P,), by name of the side."""
    weights_P: Tensor
    columns: Mapping[str, Tensor]
    token_columns: Mapping[str, Mapping[str, Tensor]]
    """Numbers of each token, (P, T), by side and name."""
    variants: Variants | None
    """None where the loss has no head that tells them apart."""
    counted: bool = True
    """Whether this process reports the examples; one of several processes does."""

    @property
    def num_tokens(self) -> int:
        """Tokens forwarded, trunks that are repeated included."""
        return sum(one.num_tokens for one in self.packs)

    @property
    def largest(self) -> int:
        """Tokens of the largest pack: what is in memory at once."""
        return max(one.num_tokens for one in self.packs)

    def by_branch(self, values_N: Tensor) -> Tensor:
        """Values of all response tokens as (B, T); 0 where there is no token."""
        flat = values_N.new_zeros(self.mask_BT.numel())
        return flat.index_copy(0, self.slots_N, values_N).view_as(self.mask_BT)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How trees are packed."""

    tokens: int
    """Tokens of one forward pass, at most."""
    oversized: Oversized = "split"
    """What happens to a tree that is larger."""
    together: bool = False
    """One group for the whole batch, for losses with statistics over it."""
    padded: bool = False
    """Packs have one of few lengths, so that a compiled kernel is reused."""


def groups_of(
    examples: Examples, prompts: Iterable[int], budget: Budget, device: torch.device
) -> list[Group]:
    """The examples of `prompts` in groups of packed trees, as many in each process."""
    trees = [tree_of(examples, examples.prompts[prompt]) for prompt in prompts]
    packed = pack(trees, budget.tokens, budget.oversized, processes.count())
    if budget.together:
        packed = [[one for group in packed for one in group]]
    return [
        _group(examples, trees, packs, budget, device, counted) for packs, counted in _dealt(packed)
    ]


def _dealt(packed: Sequence[list[Pack]]) -> Iterator[tuple[list[Pack], bool]]:
    """What this process computes, and whether it counts it.

    Together with all others what is too large for one pass, then single packs of its own.
    """
    large = [packs for packs in packed if len(packs) > 1]
    yield from ((packs, processes.rank() == 0) for packs in large)
    single = [packs for packs in packed if len(packs) == 1]
    yield from ((single[place], counted) for place, counted in processes.turns(len(single)))


def _group(
    examples: Examples,
    trees: Sequence[Tree],
    packs: Sequence[Pack],
    budget: Budget,
    device: torch.device,
    counted: bool,
) -> Group:
    parts = [part for one in packs for part in one.parts]
    branches = [branch for part in parts for branch in part.branches]
    firsts = np.cumsum([0, *(len(part.branches) for part in parts)])
    place_of = {
        part.first + number: int(first) + number
        for part, first in zip(parts, firsts[:-1], strict=True)
        for number in range(len(part.branches))
    }
    indices, sides, degrees = _examples_over(trees, packs, place_of)
    mask_BT = _mask(branches)
    of_branch, position = np.nonzero(mask_BT)
    return Group(
        packs=[pack_parts(one.parts, device, length_of(one, budget)) for one in packs],
        slots_N=_tensor(of_branch * mask_BT.shape[1] + position, device),
        mask_BT=_floats(mask_BT, device),
        reference_KBT=_references(branches, mask_BT, device),
        sides={
            name: _tensor(np.array(sides)[:, number], device)
            for number, name in enumerate(examples.sides)
        },
        weights_P=_floats(examples.weights[indices], device),
        columns={
            name: _floats(column[indices], device) for name, column in examples.columns.items()
        },
        token_columns=_token_columns(examples, indices, mask_BT.shape[1], device),
        variants=None if examples.variants is None else _variants(degrees, device),
        counted=counted,
    )


def _examples_over(
    trees: Sequence[Tree], packs: Sequence[Pack], place_of: Mapping[int, int]
) -> tuple[list[int], list[list[int]], list[list[tuple[int, int]]]]:
    """Rows of the examples over the trees of `packs`; their branches and those of their variants.

    Branches are places in the group; a variant's has its degree beside it.
    """
    first_of = np.cumsum([0, *(len(tree.branches) for tree in trees)]).tolist()
    indices: list[int] = []
    sides: list[list[int]] = []
    degrees: list[list[tuple[int, int]]] = []
    for number in dict.fromkeys(tree for one in packs for tree in one.trees):
        indices += trees[number].examples
        first = first_of[number]
        sides += [[place_of[first + one] for one in some] for some in trees[number].sides]
        degrees += [
            [(place_of[first + one], degree) for one, degree in some]
            for some in trees[number].degrees
        ]
    return indices, sides, degrees


def _variants(degrees: Sequence[Sequence[tuple[int, int]]], device: torch.device) -> Variants:
    rows = [(*one, example) for example, some in enumerate(degrees) for one in some]
    table_V3 = _tensor(np.array(rows, dtype=np.int64).reshape(-1, 3), device)
    branches_V, degrees_V, examples_V = table_V3.unbind(1)
    return Variants(branches_V=branches_V, degrees_V=degrees_V, examples_V=examples_V)


def _token_columns(
    examples: Examples, indices: Sequence[int], longest: int, device: torch.device
) -> dict[str, dict[str, Tensor]]:
    found: dict[str, dict[str, Tensor]] = {}
    for (side, name), column in examples.token_columns.items():
        table_PT = np.zeros((len(indices), longest))
        for number, index in enumerate(indices):
            values = column[index]
            table_PT[number, : len(values)] = values
        found.setdefault(side, {})[name] = _floats(table_PT, device)
    return found


def length_of(one: Pack, budget: Budget) -> int | None:
    """Tokens that a pack is padded to: the budget, or a half or a quarter of it."""
    if not budget.padded:
        return None
    lengths = [-(-budget.tokens // (128 * share)) * 128 for share in (4, 2, 1)]
    return next(length for length in lengths if length >= one.num_tokens)


def pack_parts(parts: Sequence[Part], device: torch.device, length: int | None = None) -> Packed:
    """`parts` as one forward pass."""
    predicts, targets, ends, at = [], [], [], 0
    for part in parts:
        last = at + len(part.trunk) - 1
        at += len(part.trunk)
        for branch in part.branches:
            places = np.concatenate([[last], np.arange(at, at + len(branch.tokens) - 1)])
            predicts.append(places[: branch.num_predicted])
            targets.append(branch.tokens[: branch.num_predicted])
            at += len(branch.tokens)
            ends.append(at - 1)
    return Packed(
        layout=layout_of(parts, device, length),
        predicts_N=_tensor(np.concatenate(predicts), device),
        targets_N=_tensor(np.concatenate(targets), device),
        lengths_B=_tensor(np.array([len(one) for one in targets]), device),
        ends_B=_tensor(np.array(ends), device),
        num_tokens=at,
    )


def _mask(branches: Sequence[Branch]) -> np.ndarray:
    lengths = np.array([branch.num_predicted for branch in branches])
    return np.arange(lengths.max()) < lengths[:, None]


def _references(
    branches: Sequence[Branch], mask_BT: np.ndarray, device: torch.device
) -> Tensor | None:
    found = [branch.reference for branch in branches if branch.reference is not None]
    if not found:
        return None
    values_KN = np.concatenate(found, axis=1)
    table_KBT = np.zeros((len(values_KN), *mask_BT.shape))
    table_KBT[:, mask_BT] = values_KN
    return _floats(table_KBT, device)


def _floats(values: np.ndarray, device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device)


def _tensor(values: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(device)
