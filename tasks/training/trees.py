"""Prompt trees: a prompt once (the trunk), each of its distinct responses once (the branches)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tasks.errors import DataError
from tasks.training.examples import Examples, Floats, Ints

SAME_LOGP = 0.5
"""Nats a token: equal responses of two cells are scored in other batches, equal up to rounding."""


@dataclass(frozen=True)
class Branch:
    """One response of a prompt."""

    tokens: Ints
    reference: Floats | None = None
    """Log-probabilities of the references (nats), (K, tokens)."""
    predicted: bool = True
    """Whether its log-probabilities are needed; of degraded variants its last state alone is."""

    @property
    def num_predicted(self) -> int:
        """Tokens whose log-probabilities are needed."""
        return len(self.tokens) if self.predicted else 0


@dataclass(kw_only=True)
class Tree:
    """A prompt with its responses, and the examples over them."""

    trunk: Ints
    branches: list[Branch] = field(default_factory=list)
    sides: list[tuple[int, ...]] = field(default_factory=list)
    """Branches of each example, in the order of `Examples.sides`: chosen, rejected, others."""
    degrees: list[list[tuple[int, int]]] = field(default_factory=list)
    """Branch and degree of each example's degraded variants."""
    examples: list[int] = field(default_factory=list)
    """Row of the examples' table that each one comes from."""

    @property
    def num_tokens(self) -> int:
        """Tokens of the trunk and all branches."""
        return len(self.trunk) + sum(len(branch.tokens) for branch in self.branches)


@dataclass(frozen=True, kw_only=True)
class Part:
    """Branches of one tree that are forwarded together, behind one copy of the trunk."""

    trunk: Ints
    branches: Sequence[Branch]
    first: int
    """Place of the first branch among all branches of the step's trees."""

    @property
    def num_tokens(self) -> int:
        """Tokens of the trunk and the branches."""
        return len(self.trunk) + sum(len(branch.tokens) for branch in self.branches)


def tree_of(examples: Examples, rows: Iterable[int]) -> Tree:
    """The examples `rows` of one prompt, equal responses merged.

    Raises DataError if the prompt is not rendered alike everywhere, or if equal responses come
    with different reference log-probabilities.
    """
    indices = [int(row) for row in rows]
    tree = Tree(trunk=examples.prompt_ids[indices[0]])
    places: dict[bytes, int] = {}
    for index in indices:
        if not np.array_equal(examples.prompt_ids[index], tree.trunk):
            raise DataError(
                f"row {index} of the examples has other prompt tokens than row {indices[0]} of "
                "the same prompt; render prompts with one tokenizer and template"
            )
        branches = [Branch(*examples.response(name, index)) for name in examples.sides]
        sides = [_place(tree, places, branch) for branch in branches]
        tree.sides.append(tuple(sides))
        tree.examples.append(index)
    tree.degrees = [_degrees(tree, places, examples, index) for index in indices]
    return tree


def _degrees(
    tree: Tree, places: dict[bytes, int], examples: Examples, index: int
) -> list[tuple[int, int]]:
    """Branches of the variants of one example; one that is a response is that response's branch."""
    found = []
    for tokens, degree in examples.variants[index] if examples.variants else []:
        place = places.setdefault(tokens.tobytes(), len(tree.branches))
        if place == len(tree.branches):
            tree.branches.append(Branch(tokens, predicted=False))
        found.append((place, degree))
    return found


def _place(tree: Tree, places: dict[bytes, int], branch: Branch) -> int:
    place = places.setdefault(branch.tokens.tobytes(), len(tree.branches))
    if place == len(tree.branches):
        tree.branches.append(branch)
    elif not _same_reference(branch, tree.branches[place]):
        raise DataError(
            "the examples have two reference log-probabilities of one response to one prompt; "
            "score the responses again"
        )
    return place


def _same_reference(one: Branch, other: Branch) -> bool:
    if one.reference is None or other.reference is None:
        return one.reference is other.reference
    return np.allclose(one.reference, other.reference, rtol=0, atol=SAME_LOGP)


def split(tree: Tree, first: int, budget: int) -> list[Part]:
    """`tree` as parts of at most `budget` tokens, the trunk repeated in each.

    Raises DataError if the trunk with one branch is longer than that.
    """
    parts: list[Part] = []
    part = Part(trunk=tree.trunk, branches=[], first=first)
    for place, branch in enumerate(tree.branches):
        alone = len(tree.trunk) + len(branch.tokens)
        if alone > budget:
            raise DataError(
                f"a prompt with one response has {alone} tokens, tokens_per_microbatch is "
                f"{budget}; raise it to {alone} or more, or lower max_tokens"
            )
        if part.branches and part.num_tokens + len(branch.tokens) > budget:
            parts.append(part)
            part = replace(part, branches=[], first=first + place)
        part = replace(part, branches=[*part.branches, branch])
    return [*parts, part]
