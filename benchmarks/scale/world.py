"""A round of any size whose cells are scripted and recorded and whose judges are rules."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.tiny_models import tiny_model

FRUITS = ("fig", "plum", "pear", "lime", "kiwi", "date", "mango", "grape")
HELD_OUT = 200
RECORDED_SHARE = 8
"""Every eighth prompt has a recorded verdict; every prompt has a recorded response."""
SIMULATED = {"kind": "simulated", "judge": {"kind": "rule"}, "noise": 0.1}
PRESET = "preset.yaml"
_SCRIPTED = {"engine": "scripted", "max_tokens": 24}
SCRIPTED: dict[str, Any] = {
    # Draws nothing in the round itself: its evaluation answers are the only ones of a model.
    "policy": {
        "engine": "transformers",
        "model": "policy",
        "share": 0.0,
        "max_tokens": 12,
        "threads": 1,
        "device": "cpu",
        "strength": 0,
    },
    "large": {
        **_SCRIPTED,
        "model": "large",
        "default": "Take {seed} of them, number {index}",
        "samples": 2,
        "strength": 2,
    },
    "other": {**_SCRIPTED, "model": "other", "samples": 1, "strength": 1},
}
RECORDED = {"engine": "recorded", "origin": "recorded", "strength": 3}
SECTIONS: dict[str, Any] = {
    "comparisons": {"kind": "neighbours", "budget": 3},
    "annotate": {
        "budget": 0.02,
        "people": {name: SIMULATED | {"name": name, "noise": 0.02} for name in ("ann", "bo")},
    },
    "agreement": {"resamples": 100},
    "pairs": {
        "rule": {"kind": "policy_first", "share": 0.0},
        "filters": [
            {"kind": "equal_texts"},
            {"kind": "truncated"},
            {"kind": "length_balance", "max_ratio": 2.0},
            {"kind": "per_prompt", "cap": 2},
        ],
        "held_out_share": 0.03,
    },
    "training": {
        "loss": {"kind": "dual_clip_dpo"},
        "learning_rate": 1e-4,
        "prompts_per_batch": 16,
        "max_steps": 2,
        "threads": 1,
        "max_tokens": 256,
        "tokens_per_microbatch": 16384,
        "device": "cpu",
    },
    "evaluation": {
        "metrics": {
            "checks": {"kind": "check_pass_rate"},
            "win": {"kind": "win_rate", "judge": "unbiased", "against": "sft"},
        },
        "judges": {"unbiased": {"kind": "rule"}},
    },
    "refresh": {"gate": {"kind": "every_round"}},
}


def write_world(folder: Path, prompts: int) -> Path:
    """Prompts, recorded responses and verdicts, a tiny model and the preset; returns the preset."""
    folder.mkdir(parents=True, exist_ok=True)
    preset = folder / PRESET
    if not preset.exists():
        _write(folder / "prompts.jsonl", _prompts(prompts))
        _write(folder / "recorded.jsonl", _responses(prompts))
        _write(folder / "verdicts.jsonl", _verdicts(prompts))
        settings = _preset(folder, prompts)
        preset.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return preset


def _write(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def _prompt(number: int) -> str:
    return f"Request {number}: name {2 + number % 3} fruits, with {FRUITS[number % 8]}."


def _prompts(train: int) -> Iterator[dict[str, Any]]:
    for number in range(train + HELD_OUT):
        yield {
            "prompt": _prompt(number),
            "split": "train" if number < train else "held_out",
            "tags": [f"words-{2 + number % 3}"],
            "checks": [
                {"kind": "length", "at_most": 9},
                {"kind": "contains", "text": "7"},
                {"kind": "contains", "text": "4"},
            ],
        }


def _recorded(number: int) -> str:
    return f"{FRUITS[number % 7]}, {FRUITS[number % 5]} and {number % 97}"


def _responses(prompts: int) -> Iterator[dict[str, Any]]:
    for number in range(prompts):
        yield {"prompt": _prompt(number), "response": _recorded(number)}


def _verdicts(prompts: int) -> Iterator[dict[str, Any]]:
    """On recorded responses and the scripted one that names the prompt's fruit alone."""
    for number in range(0, prompts, RECORDED_SHARE):
        yield {
            "prompt": _prompt(number),
            "a": _recorded(number),
            "b": f"Answer 0 to: {_prompt(number)}",
            "outcome": "ab"[number // RECORDED_SHARE % 2],
        }


def _preset(folder: Path, prompts: int) -> dict[str, Any]:
    verdicts = {"kind": "recorded", "files": [str(folder / "verdicts.jsonl")]}
    recorded = {**RECORDED, "files": [str(folder / "recorded.jsonl")]}
    return {
        "run": {"base_model": str(tiny_model(seed=0)), "seed": 5},
        "storage": {"root": f"file://{folder}/store"},
        "prompts": {
            "files": [str(folder / "prompts.jsonl")],
            "per_round": prompts,
            "decontamination": {"share": None},  # all prompts follow one pattern
            "held_out": HELD_OUT,
        },
        "matrix": {**SCRIPTED, "recorded": recorded},
        "judges": {
            "main": SIMULATED | {"name": "main"},
            "rule": {"kind": "rule", "margin": 0.3},
            "recorded": verdicts,
        },
        **SECTIONS,
    }
