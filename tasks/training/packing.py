"""Trees packed to a token budget: best fit, largest first, the same plan every time."""

from collections.abc import Sequence
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


def pack(trees: Sequence[Tree], budget: int, oversized: Oversized = "split") -> list[list[Pack]]:
    """`trees` in groups of packs of at most `budget` tokens.

    A group holds whole trees: one pack, or all parts of a tree that is larger than the budget.
    """
    firsts = _firsts(trees)
    order = sorted(range(len(trees)), key=lambda index: (-trees[index].num_tokens, index))
    large = [index for index in order if trees[index].num_tokens > budget]
    groups = [_parts(trees[index], index, firsts[index], budget, oversized) for index in large]
    whole: list[Pack] = []
    for index in order[len(large) :]:
        [part] = split(trees[index], firsts[index], budget)
        _best_fit(whole, part.num_tokens, budget).add(part, index)
    return [*groups, *([one] for one in whole)]


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


def _best_fit(packs: list[Pack], num_tokens: int, budget: int) -> Pack:
    """The fullest of `packs` with room for `num_tokens`, or a new one at their end."""
    fitting = [one for one in packs if one.num_tokens + num_tokens <= budget]
    if not fitting:
        packs.append(Pack())
        return packs[-1]
    return max(fitting, key=lambda one: one.num_tokens)
