"""A whole run that fits into seconds: tiny models, word-list prompts, a rule for a judge.

`python -m tests.small_run FOLDER` writes its prompts, models and preset.yaml to a folder.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.tiny_models import tiny_model

FRUITS = ["fig", "plum", "pear", "lime", "kiwi", "date", "mango", "grape"]


PROMPTS_SECTION: dict[str, Any] = {
    "per_round": 8,
    "held_out": 4,
    "decontamination": {"share": None},  # all prompts follow one pattern
}
TRAINING: dict[str, Any] = {
    "loss": {"kind": "dual_clip_dpo"},
    "learning_rate": 1e-3,
    "prompts_per_batch": 4,
    "threads": 1,
    "max_tokens": 128,
    "checkpoint_every": 1,
    "keep_every": 2,
    "device": "cpu",
}


LONGER = (
    "matrix.other=",
    "pairs.held_out_share=0",
    "matrix.policy.samples=16",
    "matrix.policy.max_tokens=60",
    "training.epochs=30",
    "training.checkpoint_every=4",
    "training.tokens_per_microbatch=128",
    "machine.side_by_side=2",
)
"""Settings with which fewer processes are started, and each takes long enough to be killed."""


def prompt_rows(train: int, held_out: int) -> list[dict[str, Any]]:
    rows = []
    for number in range(train + held_out):
        words = 2 + number % 3
        rows.append(
            {
                "prompt": f"Request {number}: name {words} fruits, with {FRUITS[number % 8]}.",
                "split": "train" if number < train else "held_out",
                "tags": [f"words-{words}"],
                "checks": [
                    {"kind": "length", "at_most": 12},
                    {"kind": "contains", "text": "a"},
                ],
            }
        )
    return rows


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def small_preset(folder: Path, **changes: Any) -> Path:
    """A preset file for a run with one policy cell, one other cell and recorded responses."""
    policy, other = tiny_model(seed=0), tiny_model(seed=1)
    rows = prompt_rows(train=24, held_out=8)
    prompts = write_rows(folder / "prompts.jsonl", rows)
    human = write_rows(
        folder / "human.jsonl",
        [{"prompt": row["prompt"], "response": "fig, pear"} for row in rows[:6]],
    )
    engine = {"engine": "transformers", "threads": 1, "max_tokens": 12}
    preset: dict[str, Any] = {
        "run": {"base_model": str(policy), "seed": 5},
        "storage": {"root": f"file://{folder}/store"},
        "prompts": PROMPTS_SECTION | {"files": [str(prompts)]},
        "matrix": {
            "policy": {**engine, "model": "policy", "samples": 2, "strength": 1},
            "other": {**engine, "model": str(other), "samples": 1, "strength": 2},
            "human": {
                "engine": "recorded",
                "files": [str(human)],
                "origin": "human",
                "strength": 9,
            },
        },
        "judges": {"main": {"kind": "rule", "margin": 0.0}},
        "comparisons": {"kind": "all", "budget": 6},
        "pairs": {
            "rule": {"kind": "all_above_margin"},
            "filters": [{"kind": "equal_texts"}],
            "held_out_share": 0.2,
        },
        "training": TRAINING,
        "evaluation": {
            "metrics": {"checks": {"kind": "check_pass_rate"}, "words": {"kind": "length"}}
        },
        "refresh": {"gate": {"kind": "every_round"}},
    }
    path = folder / "preset.yaml"
    path.write_text(yaml.safe_dump(preset | changes), encoding="utf-8")
    return path


def write_small_run(folder: Path) -> Path:
    """Everything that the small run needs, in `folder`; returns its preset."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["TSO_TEST_CACHE"] = str(folder / "models")
    return small_preset(folder)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("write the folder: python -m tests.small_run work/small")
    sys.stdout.write(f"{write_small_run(Path(sys.argv[1]).resolve())}\n")
