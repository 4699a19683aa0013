"""How a run's last policy moved on recorded pairs of prompts that no run is trained on."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.real_preferences import parts
from benchmarks.real_preferences.measures import hits
from benchmarks.study.worlds.files import Row, read_rows
from tasks.canonical import short_id
from tasks.tokens import load_tokenizer, render, response_ids
from tasks.training_data import SCORE_ROWS

SIDES = ("chosen", "rejected")
MATCHED = 0.10
"""Lengths in tokens count as alike if they differ by at most this share of the longer one."""
Values = dict[str, dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class MeasuredPairs:
    """Recorded pairs as a model sees them; those that are too long for it are left out."""

    rows: list[Row]
    """prompt_id, chosen and rejected (ids), chosen_tokens and rejected_tokens."""
    texts: pa.Table
    """Each response that is in a pair, once: the rows of a scoring job."""

    def scored(self, name: str, root: Path, model: Path, device: str) -> dict[str, float]:
        """Summed log-probability (nats) of every response under `model`."""
        _, logps = parts.scored(root, name, model, self.texts, threads=1, device=device)
        return {one: sum(values) for one, values in logps.items()}


def read_pairs(file: Path, model: Path, max_tokens: int) -> MeasuredPairs:
    """The pairs of JSON Lines (prompt, chosen, rejected) with the tokens of `model`."""
    tokenizer = load_tokenizer(model)
    rows, texts = [], {}
    for one in read_rows(file):
        prompt_ids = render(tokenizer, [{"role": "user", "content": one["prompt"]}])
        row: dict[str, Any] = {"prompt_id": short_id(one["prompt"])}
        seen = {}
        for side in SIDES:
            ids = response_ids(tokenizer, one[side], finished=True)
            row |= {side: short_id(one["prompt"], one[side]), f"{side}_tokens": len(ids)}
            seen[row[side]] = prompt_ids, ids
        if max(len(asked) + len(ids) for asked, ids in seen.values()) <= max_tokens:
            rows.append(row)
            texts |= seen
    columns = {
        "response_id": sorted(texts),
        "prompt_ids": [texts[one][0] for one in sorted(texts)],
        "response_ids": [texts[one][1] for one in sorted(texts)],
    }
    return MeasuredPairs(rows=rows, texts=pa.Table.from_pydict(columns, schema=SCORE_ROWS))


def moved(pairs: Sequence[Row], policy: Mapping[str, float], start: Mapping[str, float]) -> Values:
    """What became of the pairs, by measure and prompt, each the mean over the prompt's pairs.

    reward_accuracy: how often chosen gained more than rejected, also of pairs of like length;
    chosen_gain: nats that a token of the chosen response gained.
    """

    def gain(one: Row, side: str) -> float:
        return policy[one[side]] - start[one[side]]

    def margin(one: Row) -> float:
        return gain(one, "chosen") - gain(one, "rejected")

    return {
        "reward_accuracy all": by_prompt(pairs, margin),
        "reward_accuracy length_matched": by_prompt([o for o in pairs if is_matched(o)], margin),
        "chosen_gain all": means(pairs, lambda one: gain(one, "chosen") / one["chosen_tokens"]),
    }


def shortcuts(pairs: Sequence[Row], start: Mapping[str, float]) -> dict[str, Values]:
    """What rules that learn nothing reach on the same pairs."""
    matched = [one for one in pairs if is_matched(one)]
    rules: dict[str, Callable[[Row], float]] = {
        "the longer one": lambda one: one["chosen_tokens"] - one["rejected_tokens"],
        "the likelier one before": lambda one: start[one["chosen"]] - start[one["rejected"]],
    }
    return {
        name: {
            "reward_accuracy all": by_prompt(pairs, rule),
            "reward_accuracy length_matched": by_prompt(matched, rule),
        }
        for name, rule in rules.items()
    }


def is_matched(one: Row) -> bool:
    """Whether the two responses have like lengths."""
    lengths = one["chosen_tokens"], one["rejected_tokens"]
    return abs(lengths[0] - lengths[1]) <= MATCHED * max(lengths)


def by_prompt(pairs: Sequence[Row], margin: Callable[[Row], float]) -> dict[str, float]:
    """The share of each prompt's pairs with a margin above zero; no margin counts a half."""
    return means(pairs, lambda one: float(hits(np.array(margin(one)))))


def means(pairs: Sequence[Row], value: Callable[[Row], float]) -> dict[str, float]:
    """Means over each prompt's pairs."""
    found: dict[str, list[float]] = defaultdict(list)
    for one in pairs:
        found[one["prompt_id"]].append(value(one))
    return {prompt_id: float(np.mean(some)) for prompt_id, some in sorted(found.items())}
