"""A whole configuration as plain data, without models or files behind it."""

from typing import Any

from tasks.config import Config, build_config
from tasks.layers import with_overrides
from tasks.records import Checkpoint, Place
from tasks.storage_settings import StorageSettings


def plain_small(**overrides: Any) -> dict[str, Any]:
    """A preset as a file would hold it; `overrides` are dotted keys with `__` for the dots."""
    preset: dict[str, Any] = {
        "run": {"base_model": "models/sft", "seed": 1},
        "storage": {"root": "memory://small"},
        "prompts": {"files": ["prompts.jsonl"], "per_round": 8, "held_out": 4},
        "matrix": {
            "policy": {"engine": "transformers", "model": "policy", "samples": 2},
            "large": {"engine": "scripted", "default": "x", "temperature": 0.7, "strength": 2},
        },
        "judges": {"main": {"kind": "rule"}},
        "comparisons": {"kind": "all", "budget": 6},
        "pairs": {
            "rule": {"kind": "all_above_margin"},
            "filters": [{"kind": "equal_texts"}, {"kind": "already_solved", "margin": 5}],
        },
        "training": {"loss": {"kind": "dual_clip_dpo"}, "learning_rate": 1e-3},
        "evaluation": {"metrics": {"checks": {"kind": "check_pass_rate"}}},
        "refresh": {"gate": {"kind": "unless_worse"}},
    }
    dotted = {key.replace("__", "."): value for key, value in overrides.items()}
    return with_overrides(preset, dotted)


def small_config(**overrides: Any) -> Config:
    """The configuration of `plain_small`."""
    return build_config(plain_small(**overrides))


def checkpoint(name: str) -> Checkpoint:
    """A checkpoint whose weights have the digest `name`."""
    return Checkpoint(sha256=name, uri=name, base="", step=0, tokenizer="tok", template="tem")


def small_place(**changes: Any) -> Place:
    """The place of round 2, whose reference is the policy of round 1; `root` names its store."""
    facts: dict[str, Any] = {
        "run": "r",
        "round_index": 2,
        "storage": StorageSettings(root=changes.pop("root", "memory://small")),
        "seed": 1,
        "side_by_side": 1,
        "redo": {},
        "sft": checkpoint("sft"),
        "reference": checkpoint("one"),
        "policies": {0: checkpoint("zero"), 1: checkpoint("one")},
        "strengths": {"policy": 1.0, "large": 2.0},
        "shares": {"policy": 1.0, "large": 1.0},
    }
    return Place(**facts | changes)
