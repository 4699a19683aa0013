"""GSM8K: four recorded models, people's worked solutions, and a checker for a judge."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.study.worlds.files import Row, is_drawn, split_of, write_rows

SOURCE = "gsm8k_matrix/gsm8k_model_matrix.parquet"
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
MARKS = re.compile(r"<<[^<>]*>>")
"""A calculator's marks, which the corpus of the taught model has not either."""
FORM = r"(?:####|A:) ?-?[$]?[\d.,]+\s*$"
"""An answer ends with its number, marked as the corpus or as the recorded models mark it."""


def write(data: Path, folder: Path, settings: Mapping[str, Any]) -> None:
    """Write the world's files to `folder`."""
    table = pd.read_parquet(data / SOURCE)
    for column in ("response", "reference"):
        table[column] = table[column].map(lambda text: MARKS.sub("", text))
    splits = split_of(table["prompt_id"], settings["splits"], settings["split_seed"])
    problems = table.drop_duplicates("prompt_id").to_dict("records")
    write_rows(folder / "prompts.jsonl", (prompt_row(one, splits) for one in problems))
    for model in MODELS:
        rows = table[table["model"] == model].to_dict("records")
        write_rows(folder / f"{model}.jsonl", [answer(one, "response") for one in rows])
    share, seed = settings["human_share"], settings["split_seed"]
    written = [one for one in problems if is_drawn(one["prompt_id"], share, seed)]
    write_rows(folder / "human.jsonl", [answer(one, "reference") for one in written])
    sealed = table[table["prompt_id"].map(splits) == "sealed"]
    write_rows(folder / "pairs.jsonl", pair_rows(sealed))


def prompts(data: Path) -> list[str]:
    """The texts of all problems."""
    return sorted(set(pd.read_parquet(data / SOURCE, columns=["prompt"])["prompt"]))


def prompt_row(row: Row, splits: Mapping[str, str]) -> Row:
    """A problem with the checks that a right answer in the right form meets."""
    checks = [
        {"kind": "final_number", "expected": row["reference"].rpartition("A:")[2].strip()},
        {"kind": "regex", "pattern": FORM},
    ]
    return {
        "prompt": row["prompt"],
        "split": splits[row["prompt_id"]],
        "source": "gsm8k",
        "source_id": row["prompt_id"],
        "checks": checks,
    }


def answer(row: Row, column: str) -> Row:
    """A recorded answer."""
    return {"prompt": row["prompt"], "response": row[column]}


def pair_rows(table: pd.DataFrame) -> Iterator[Row]:
    """Every right recorded answer against every wrong one of a problem."""
    for _, rows in table.sort_values(["prompt_id", "model"]).groupby("prompt_id"):
        right = rows[rows["is_correct"]].to_dict("records")
        wrong = rows[~rows["is_correct"]].to_dict("records")
        for one in right:
            for other in wrong:
                if one["response"] != other["response"]:
                    yield {
                        "prompt": one["prompt"],
                        "chosen": one["response"],
                        "rejected": other["response"],
                    }
