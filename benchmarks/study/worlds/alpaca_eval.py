"""AlpacaEval: recorded models, GPT-4's verdicts on them, and people's answers to some prompts."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.study.worlds.files import Row, split_of, write_rows

MATRIX = "alpaca_eval/alpaca_eval_matrix.parquet"
JUDGED = "alpaca_eval/alpaca_eval_judgements.parquet"
WRITTEN = "selfinstruct_matrix/selfinstruct_matrix.parquet"
ANNOTATOR = "alpaca_eval_gpt4"
BASELINE = "text_davinci_003"
MODELS = ("falcon-7b-instruct", "alpaca-7b", "text_davinci_001", "gpt-3.5-turbo-0301")
"""Each of them was compared with the baseline on every prompt."""


def write(data: Path, folder: Path, settings: Mapping[str, Any]) -> None:
    """Write the world's files to `folder`."""
    matrix = pd.read_parquet(data / MATRIX)
    verdicts = list(judged(pd.read_parquet(data / JUDGED), matrix))
    splits = split_of(matrix["prompt_id"], settings["splits"], settings["split_seed"])
    asked = matrix.drop_duplicates("prompt_id").to_dict("records")
    write_rows(folder / "prompts.jsonl", (prompt_row(one, splits) for one in asked))
    for model in (BASELINE, *MODELS):
        write_rows(folder / f"{model}.jsonl", answers(verdicts, model))
    write_rows(folder / "verdicts.jsonl", [verdict_row(one) for one in verdicts])
    people = pd.read_parquet(data / WRITTEN).drop_duplicates("prompt_id")
    texts = {one["prompt_id"]: one["prompt"] for one in asked}
    rows = [
        {"prompt": texts[one["prompt_id"]], "response": one["human_reference"]}
        for one in people.to_dict("records")
        if one["prompt_id"] in texts and one["human_reference"].strip()
    ]
    write_rows(folder / "human.jsonl", rows)
    sealed = [one for one in verdicts if splits[one["prompt_id"]] == "sealed"]
    write_rows(folder / "pairs.jsonl", pair_rows(sealed))


def prompts(data: Path) -> list[str]:
    """The texts of all prompts."""
    return sorted(set(pd.read_parquet(data / MATRIX, columns=["prompt"])["prompt"]))


def judged(verdicts: pd.DataFrame, matrix: pd.DataFrame) -> Iterator[Row]:
    """The verdicts on the chosen models, with the two texts that the judge saw."""
    texts = {(one["prompt_id"], one["model"]): one for one in matrix.to_dict("records")}
    mine = verdicts[(verdicts["annotator"] == ANNOTATOR) & verdicts["model_2"].isin(MODELS)]
    for row in mine.sort_values(["prompt_id", "model_2"]).to_dict("records"):
        baseline = texts[row["prompt_id"], row["text_1"]]
        other = texts[row["prompt_id"], row["text_2"]]
        if baseline["response"].strip() and other["response"].strip():
            yield {
                "prompt_id": row["prompt_id"],
                "prompt": baseline["prompt"],
                "model": row["model_2"],
                "baseline": baseline["response"],
                "other": other["response"],
                "preference": row["preference"],
            }


def prompt_row(row: Row, splits: Mapping[str, str]) -> Row:
    """A prompt; nothing but a judge can tell good answers from bad ones."""
    return {
        "prompt": row["prompt"],
        "split": splits[row["prompt_id"]],
        "source": "alpaca_eval",
        "source_id": row["prompt_id"],
        "tags": [row["dataset"]],
    }


def answers(verdicts: list[Row], model: str) -> Iterator[Row]:
    """What the judge saw of `model`, once for each prompt."""
    seen: set[str] = set()
    for one in verdicts:
        if one["prompt_id"] not in seen and model in (BASELINE, one["model"]):
            seen.add(one["prompt_id"])
            text = one["baseline"] if model == BASELINE else one["other"]
            yield {"prompt": one["prompt"], "response": text}


def verdict_row(one: Row) -> Row:
    """A verdict on two texts: 1 is the baseline's, 2 the other's."""
    preference = one["preference"]
    return {
        "prompt": one["prompt"],
        "a": one["baseline"],
        "b": one["other"],
        "outcome": "unparsed" if pd.isna(preference) else side(float(preference)),
        "first_shown": "unknown",
        "annotator": "gpt4",
    }


def side(preference: float) -> str:
    """a, b or tie."""
    return "tie" if preference == 1.5 else "a" if preference < 1.5 else "b"


def pair_rows(verdicts: list[Row]) -> Iterator[Row]:
    """The text that GPT-4 preferred against the other one."""
    for one in verdicts:
        outcome = verdict_row(one)["outcome"]
        if outcome in ("a", "b") and one["baseline"] != one["other"]:
            chosen, rejected = one["baseline"], one["other"]
            if outcome == "b":
                chosen, rejected = rejected, chosen
            yield {"prompt": one["prompt"], "chosen": chosen, "rejected": rejected}
