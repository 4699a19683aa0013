"""Trees packed to a token budget: best fit, largest first, the same plan every time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tasks.errors import DataError
from tasks.training.trees import Part, Tree, split

Oversized = Literal["split", "refuse"]


@dataclass(kw_only=True)
class Pack:
    """Parts of trees that one forward pass takes, and which trees they are of."""

    parts: list[Part] = field(default_factory=list)
    trees: list[int] = field(default_factory=list)
    num_tokens: int = 0

    def add(self, part: Part, tree: int) -> None:
        """Put `part` at the end."""
        self.parts.append(part)
        self.trees.append(tree)
        self.num_tokens += part.num_tokens


def pack(
    trees: Sequence[Tree], budget: int, oversized: Oversized = "split", side_by_side: int = 1
) -> list[list[Pack]]:
    """`trees` in groups of packs of at most `budget` tokens.

    A group holds whole trees: one pack, or all parts of a tree that is larger than the budget.
    Where several packs are computed `side_by_side`, they are of similar sizes.
    """
    firsts = _firsts(trees)
    order = sorted(range(len(trees)), key=lambda index: (-trees[index].num_tokens, index))
    large = [index for index in order if trees[index].num_tokens > budget]
    groups = [_parts(trees[index], index, firsts[index], budget, oversized) for index in large]
    parts = {index: _whole(trees[index], firsts[index], budget) for index in order[len(large) :]}
    packs = _spread(parts, budget, side_by_side) if side_by_side > 1 else _filled(parts, budget)
    return [*groups, *([one] for one in packs)]


def _firsts(trees: Sequence[Tree]) -> list[int]:
    firsts, total = [], 0
    for tree in trees:
        firsts.append(total)
        total += len(tree.branches)
    return firsts


def _parts(tree: Tree, index: int, first: int, budget: int, oversized: Oversized) -> list[Pack]:
    if oversized == "refuse":
        raise DataError(
            f"a prompt with its {len(tree.branches)} responses has {tree.num_tokens} tokens, "
            f"tokens_per_microbatch is {budget}; raise it, or set oversized_trees to split"
        )
    packs = []
    for part in split(tree, first, budget):
        packs.append(Pack())
        packs[-1].add(part, index)
    return packs


def _whole(tree: Tree, first: int, budget: int) -> Part:
    [part] = split(tree, first, budget)
    return part


def _filled(parts: Mapping[int, Part], budget: int) -> list[Pack]:
    """As few packs as best fit needs."""
    packs: list[Pack] = []
    for index, part in parts.items():
        _best_fit(packs, part.num_tokens, budget).add(part, index)
    return packs


def _spread(parts: Mapping[int, Part], budget: int, side_by_side: int) -> list[Pack]:
    """A multiple of `side_by_side` packs, each tree in the emptiest; the fullest packs first.

    Of so few trees that some stay empty, those are left out.
    """
    turns = -(-sum(part.num_tokens for part in parts.values()) // (budget * side_by_side))
    while True:
        packs = [Pack() for _ in range(turns * side_by_side)]
        for index, part in parts.items():
            min(packs, key=lambda one: one.num_tokens).add(part, index)
        if all(one.num_tokens <= budget for one in packs):
            used = [one for one in packs if one.parts]
            return sorted(used, key=lambda one: -one.num_tokens)
        turns += 1


def _best_fit(packs: list[Pack], num_tokens: int, budget: int) -> Pack:
    """The fullest of `packs` with room for `num_tokens`, or a new one at their end."""
    fitting = [one for one in packs if one.num_tokens + num_tokens <= budget]
    if not fitting:
        packs.append(Pack())
        return packs[-1]
    return max(fitting, key=lambda one: one.num_tokens)
