"""What the study runs: its plan, its sets, the reference's scores, and one trial after another."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.real_preferences import parts
from benchmarks.real_preferences.preferences import Preferences, read_preferences
from benchmarks.real_preferences.prepared import (
    Logps,
    PreparedSet,
    measured_pairs,
    preference_examples,
    score_rows,
    training_pairs,
)
from tasks.weights import weights_digest

PLAN = Path(__file__).with_name("real_preferences.yaml")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training run on a set: what the plan leaves open."""

    loss: str
    """Name of one of the plan's losses."""
    learning_rate: float
    seed: int


def read_plan(path: Path = PLAN) -> dict[str, Any]:
    """The study's settings."""
    plan: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return plan


def read_sets(plan: Mapping[str, Any], data: Path) -> dict[str, Preferences]:
    """The preference sets by name; `data` is where the public data lies."""
    return {name: read_preferences(data / one["file"]) for name, one in plan["sets"].items()}


def reference_scores(
    one: PreparedSet, model: Path, plan: Mapping[str, Any], root: Path, seeds: Iterable[int]
) -> tuple[Path, dict[str, list[float]]]:
    """Token log-probabilities, under the taught model, of all responses that are used anywhere."""
    pairs = [pair for seed in seeds for pair in training_pairs(one, plan, seed)]
    for part in ("dev", "held_out"):
        pairs += measured_pairs(one, part, plan)[0]
    return parts.scored(root, f"reference-{one.name}", model, score_rows(one, pairs), threads=1)


def train_and_score(
    one: PreparedSet,
    trial: Trial,
    part: str,
    model: Path,
    reference: Logps,
    plan: Mapping[str, Any],
    root: Path,
) -> tuple[Logps, Path, Path]:
    """Log-probabilities of the measured pairs of `part` under the trained policy.

    Also the parts that trained and that scored it.
    """
    name = f"{one.name}-{trial.loss}-{trial.learning_rate:g}-{trial.seed}"
    examples = preference_examples(one, training_pairs(one, plan, trial.seed), reference, model)
    spec = {
        "loss": plan["losses"][trial.loss],
        "seed": trial.seed,
        "expect_reference": True,
        "reference": weights_digest(model),
        "settings": {
            **plan["training"],
            "learning_rate": trial.learning_rate,
            "epochs": one.settings["epochs"],
            "max_tokens": plan["max_tokens"],
        },
    }
    folder = parts.trained(root, name, model, examples, spec, threads=1)
    rows = score_rows(one, measured_pairs(one, part, plan)[0])
    measured, logps = parts.scored(root, f"{name}-{part}", folder / "model", rows, threads=1)
    return logps, folder, measured
