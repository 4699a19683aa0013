"""Groups as token ids, and the rows that each side reads: the same pairs in the same order."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from benchmarks.trainer.groups import Group, pairs_of
from infra.arrow_files import write_arrow
from tasks.records import TrainingExample
from tasks.seeds import seed_of
from tasks.tables import to_table
from tasks.tokens import render, response_ids
from tasks.training.examples import batch_prompts
from tasks.training_data import SCORE_ROWS

Logps = Mapping[str, Sequence[float]]
"""Log-probabilities of response tokens under the reference (nats), by name of the response."""


@dataclass(frozen=True, kw_only=True)
class TokenGroup:
    """A group with its token ids."""

    group: Group
    prompt_ids: list[int]
    response_ids: list[list[int]]
    """Closed by the end-of-turn id."""

    @property
    def longest(self) -> int:
        """Tokens of the prompt and its longest response."""
        return len(self.prompt_ids) + max(map(len, self.response_ids))

    def name(self, response: int) -> str:
        """The id of a response."""
        return f"{self.group.prompt_id}-{response}"


class PairRow(NamedTuple):
    """One pair: which group, and which of its responses."""

    group: int
    chosen: int
    rejected: int


def choose(groups: Iterable[Group], tokenizer: Any, max_tokens: int, seed: int) -> list[TokenGroup]:
    """The groups whose rows all fit, in an order that `seed` decides."""
    fitting = [
        one for one in (_tokenised(group, tokenizer) for group in groups)
        if one.longest <= max_tokens
    ]  # fmt: skip
    order = np.random.default_rng(seed_of(seed, "groups")).permutation(len(fitting))
    return [fitting[index] for index in order]


def _tokenised(group: Group, tokenizer: Any) -> TokenGroup:
    return TokenGroup(
        group=group,
        prompt_ids=render(tokenizer, [{"role": "user", "content": group.prompt}]),
        response_ids=[response_ids(tokenizer, text, finished=True) for text in group.responses],
    )


def ordered_pairs(
    groups: Sequence[TokenGroup], prompts_per_step: int, steps: int, seed: int
) -> list[PairRow]:
    """The pairs in the order of our trainer's batches, shuffled within each step.

    A step holds the same pairs on both sides; which of them share a device batch of TRL is left to
    chance, as TRL's own random order does.
    """
    ordered = []
    for step in range(steps):
        prompts = batch_prompts(len(groups), prompts_per_step, seed, step).tolist()
        pairs = [
            PairRow(prompt, *pair)
            for prompt in prompts
            for pair in pairs_of(len(groups[prompt].response_ids))
        ]
        order = np.random.default_rng(seed_of(seed, "pairs", step)).permutation(len(pairs))
        ordered += [pairs[index] for index in order]
    return ordered


def by_length(
    groups: Sequence[TokenGroup], pairs: Sequence[PairRow], pairs_per_device_batch: int, seed: int
) -> list[int]:
    """Numbers of `pairs`, those of similar length in one device batch, these in random order.

    Sorted over all pairs: TRL's `group_by_length` sorts within parts of the data of at most 50
    steps, so on a set as small as a benchmark's it would group less well than on a whole one.
    """
    numbers = sorted(range(len(pairs)), key=lambda number: pair_length(groups, pairs[number]))
    size = pairs_per_device_batch
    batches = [numbers[first : first + size] for first in range(0, len(numbers), size)]
    order = np.random.default_rng(seed_of(seed, "by length")).permutation(len(batches))
    return [number for index in order for number in batches[index]]


def pair_length(groups: Sequence[TokenGroup], pair: PairRow) -> int:
    """Tokens of the prompt and the longer response."""
    group = groups[pair.group]
    responses = (group.response_ids[one] for one in (pair.chosen, pair.rejected))
    return len(group.prompt_ids) + max(map(len, responses))


def num_tokens(groups: Sequence[TokenGroup], pairs: Iterable[PairRow]) -> int:
    """Tokens that a trainer without prompt trees or padding forwards for `pairs`."""
    return sum(
        2 * len(groups[pair.group].prompt_ids)
        + len(groups[pair.group].response_ids[pair.chosen])
        + len(groups[pair.group].response_ids[pair.rejected])
        for pair in pairs
    )


def write_score_rows(path: Path, groups: Sequence[TokenGroup]) -> int:
    """The rows of a score job over all responses; returns how many there are."""
    rows = [
        {"response_id": one.name(index), "prompt_ids": one.prompt_ids, "response_ids": ids}
        for one in groups
        for index, ids in enumerate(one.response_ids)
    ]
    write_arrow(pa.Table.from_pylist(rows, schema=SCORE_ROWS), path)
    return len(rows)


def write_examples(path: Path, groups: Sequence[TokenGroup], logps: Logps) -> None:
    """The examples of our training job."""
    rows = (
        _example(one, pair, logps) for one in groups for pair in pairs_of(len(one.response_ids))
    )
    write_arrow(to_table(TrainingExample, rows), path)


def _example(group: TokenGroup, pair: tuple[int, int], logps: Logps) -> TrainingExample:
    chosen, rejected = pair
    return TrainingExample(
        example_id=f"{group.name(chosen)}-{rejected}",
        kind="pair",
        prompt_id=group.group.prompt_id,
        prompt_ids=group.prompt_ids,
        chosen_ids=group.response_ids[chosen],
        rejected_ids=group.response_ids[rejected],
        weight=1 / len(pairs_of(len(group.response_ids))),
        chosen_logps=list(logps[group.name(chosen)]),
        rejected_logps=list(logps[group.name(rejected)]),
        p_chosen=None,
        margin=None,
    )


def write_trl_rows(
    path: Path, groups: Sequence[TokenGroup], pairs: Sequence[PairRow], order: Iterable[int]
) -> None:
    """JSON lines for TRL: conversations as its users give them, and the ids they must become."""
    with path.open("w", encoding="utf-8") as file:
        for number in order:
            row = {"row": number, **_trl_row(groups[pairs[number].group], pairs[number])}
            file.write(json.dumps(row) + "\n")


def _trl_row(group: TokenGroup, pair: PairRow) -> dict[str, Any]:
    texts = group.group.responses
    return {
        "prompt": [{"role": "user", "content": group.group.prompt}],
        "chosen": [{"role": "assistant", "content": texts[pair.chosen]}],
        "rejected": [{"role": "assistant", "content": texts[pair.rejected]}],
        "expected_prompt_ids": group.prompt_ids,
        "expected_chosen_ids": group.response_ids[pair.chosen],
        "expected_rejected_ids": group.response_ids[pair.rejected],
    }
