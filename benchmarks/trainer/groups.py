"""Prompts of the shared data with their responses, best first: every two of them are a pair."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pandas as pd

from benchmarks.trainer.plan import Plan, SetPlan
from tasks.canonical import short_id

QUESTION = "\n\nQuestion: "
"""Stands between a story section and a question about it."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """A prompt and its responses."""

    prompt_id: str
    prompt: str
    """What the user says."""
    responses: list[str]
    """Best first."""

    @property
    def is_complete(self) -> bool:
        """Whether all responses say something, and something different."""
        return all(self.responses) and len(set(self.responses)) == len(self.responses)


def pairs_of(num_responses: int) -> list[tuple[int, int]]:
    """Chosen and rejected response of every pair of a prompt."""
    return list(combinations(range(num_responses), 2))


def data_folder() -> Path:
    """The shared data: TSO_SHARED_DATA, or ../shared/data."""
    return Path(os.environ.get("TSO_SHARED_DATA", "../shared/data"))


def read_groups(wanted: SetPlan, plan: Plan) -> Iterator[Group]:
    """The complete groups of a set, in the order of its files."""
    folder = data_folder()
    if wanted.source == "pairs":
        groups = judged_pairs(folder / "ai_preference_pairs" / "ai_preference_pairs.jsonl.gz")
    elif wanted.source == "matrix":
        step = len(plan.models) // wanted.responses
        strongest_first = plan.models[step - 1 :: step][::-1]
        groups = matrix(folder / "alpaca_eval" / "alpaca_eval_matrix.parquet", strongest_first)
    else:
        groups = stories(folder / "pretrain_corpus" / "pretrain_corpus.jsonl.gz", wanted.responses)
    return (group for group in groups if group.is_complete)


def judged_pairs(path: Path) -> Iterator[Group]:
    """The first pair of each prompt: the response that GPT-4 preferred, and the other."""
    rows = pd.read_json(path, lines=True).drop_duplicates("prompt_id")
    for row in rows.to_dict("records"):
        turns = row["prompt"]
        if len(turns) != 1:
            raise ValueError(f"{path}: prompt {row['prompt_id']} has {len(turns)} turns, not 1")
        yield Group(
            prompt_id=row["prompt_id"],
            prompt=turns[0]["content"],
            responses=[row["chosen"], row["rejected"]],
        )


def matrix(path: Path, strongest_first: list[str]) -> Iterator[Group]:
    """The responses of `strongest_first` to each prompt: the stronger model's is the better one."""
    rows = pd.read_parquet(path, columns=["prompt_id", "prompt", "model", "response"])
    rows = rows[rows.model.isin(strongest_first)]
    for prompt_id, of_prompt in rows.groupby("prompt_id", sort=False):
        by_model = dict(zip(of_prompt.model, of_prompt.response, strict=True))
        if by_model.keys() == set(strongest_first):
            yield Group(
                prompt_id=str(prompt_id),
                prompt=str(of_prompt.prompt.iloc[0]),
                responses=[by_model[model] for model in strongest_first],
            )


def stories(path: Path, num_responses: int) -> Iterator[Group]:
    """Story sections with the answers to their first questions, the first one taken as best.

    Nobody compared these answers: this set is about long prompts, and measures speed only.
    """
    rows = pd.read_json(path, lines=True)
    rows = rows[rows.source == "fairytaleqa_qa"]
    answers: dict[str, list[str]] = {}
    for prompt, answer in zip(rows.prompt, rows.response, strict=True):
        answers.setdefault(prompt.partition(QUESTION)[0], []).append(answer)
    for section, given in answers.items():
        responses = list(dict.fromkeys(given))[:num_responses]
        if len(responses) == num_responses:
            yield Group(prompt_id=short_id(section), prompt=section, responses=responses)
