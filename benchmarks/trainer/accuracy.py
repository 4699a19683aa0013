"""Seconds of training until both sides reach the same held-out reward accuracy."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from benchmarks.trainer.groups import read_groups
from benchmarks.trainer.jobs import Trainers
from benchmarks.trainer.plan import SetPlan
from benchmarks.trainer.prepared import Prepared, choose_groups, prepare
from benchmarks.trainer.rows import Logps, TokenGroup


class Held(NamedTuple):
    """What a model is worth on held-out pairs."""

    accuracy: float
    """Share of pairs whose chosen reward is the larger one."""
    loss: float
    """Mean sigmoid loss: still falls when the accuracy is at its best."""


def measure_accuracy(trainers: Trainers, folder: Path, pairs: SetPlan) -> dict[str, Any]:
    """Accuracy and loss of both sides by step, seconds until the best that both reach, ratios."""
    wanted = trainers.plan.accuracy
    groups = choose_groups(trainers, list(read_groups(pairs, trainers.plan)))
    held_out, rest = groups[: wanted.held_out_prompts], groups[wanted.held_out_prompts :]
    prepared = prepare(trainers, folder, rest, pairs.prompts_per_step, wanted.steps)
    measured_at = list(range(wanted.every, wanted.steps + 1, wanted.every))
    runs = []
    for repetition in range(wanted.repetitions):
        seconds = {
            "ours": _ours(trainers, prepared, folder / f"ours-{repetition}", wanted.every),
            "trl": _theirs(trainers, prepared, folder / f"trl-{repetition}", measured_at),
        }
        runs.append({side: _by_step(marks, measured_at) for side, marks in seconds.items()})
    models = {"ours": "ours-0/models/step-{:07d}", "trl": "trl-0/step-{}"}
    judge = _Judge(trainers, folder / "scores", held_out)
    curves = {
        side: judge.curve(side, {step: folder / name.format(step) for step in measured_at})
        for side, name in models.items()
    }
    return {"held_out_prompts": len(held_out), **summary(curves, runs)}


def summary(
    curves: Mapping[str, Mapping[int, Held]], runs: Sequence[Mapping[str, Mapping[int, float]]]
) -> dict[str, Any]:
    """Steps and seconds until the best accuracy, and the best loss, that both sides reach."""
    return {
        "curves": {side: {step: one._asdict() for step, one in curve.items()}
                   for side, curve in curves.items()},
        "repetitions": runs,
        "to_accuracy": _until(_values(curves, lambda one: one.accuracy), runs),
        "to_loss": _until(_values(curves, lambda one: -one.loss), runs),
    }  # fmt: skip


def _values(
    curves: Mapping[str, Mapping[int, Held]], value: Callable[[Held], float]
) -> dict[str, dict[int, float]]:
    return {side: {step: value(one) for step, one in curve.items()}
            for side, curve in curves.items()}  # fmt: skip


def _until(
    curves: Mapping[str, Mapping[int, float]], runs: Sequence[Mapping[str, Mapping[int, float]]]
) -> dict[str, Any]:
    """Steps and median seconds until the highest value that both curves reach."""
    target = min(max(curve.values()) for curve in curves.values())
    found: dict[str, Any] = {"target": abs(target)}
    for side, curve in curves.items():
        step = min(step for step, value in curve.items() if value >= target)
        found[f"{side}_steps"] = step
        found[f"{side}_seconds"] = median(run[side][step] for run in runs)
    found["ratio"] = found["trl_seconds"] / found["ours_seconds"]
    return found


def _ours(trainers: Trainers, prepared: Prepared, workdir: Path, every: int) -> list[float]:
    settings = prepared.our_settings() | {
        "decay": "constant",
        "keep_every": every,
    }
    return list(trainers.ours(workdir, prepared.examples, settings)["seconds_at"])


def _theirs(
    trainers: Trainers, prepared: Prepared, workdir: Path, steps: Sequence[int]
) -> list[float]:
    settings = prepared.trl_settings() | {
        "schedule": "constant",
        "save_at": list(steps),
    }
    return list(trainers.trl(workdir, prepared.rows("trl"), settings)["seconds_at"])


def _by_step(marks: Sequence[float], steps: Sequence[int]) -> dict[int, float]:
    """Seconds of training until the end of each of `steps`, the first step left out."""
    return {step: marks[step - 1] - marks[0] for step in steps}


class _Judge:
    """What a model is worth on held-out pairs, by the same scores for both sides."""

    def __init__(self, trainers: Trainers, folder: Path, groups: Sequence[TokenGroup]) -> None:
        self._trainers, self._folder, self._groups = trainers, folder, groups
        self._reference = self._sums("reference", trainers.model)

    def curve(self, side: str, models: Mapping[int, Path]) -> dict[int, Held]:
        """What each step's model is worth."""
        beta = self._trainers.plan.beta
        return {
            step: held(self._sums(f"{side}-{step}", model), self._reference, self._groups, beta)
            for step, model in models.items()
        }

    def _sums(self, name: str, model: Path) -> dict[str, float]:
        logps: Logps = self._trainers.score(self._folder / name, model, self._groups)
        return {response: sum(values) for response, values in logps.items()}


def held(
    policy: Mapping[str, float],
    reference: Mapping[str, float],
    groups: Sequence[TokenGroup],
    beta: float,
) -> Held:
    """Accuracy and sigmoid loss on pairs whose response 0 is chosen and 1 rejected."""
    margins = []
    for group in groups:
        chosen, rejected = (
            policy[group.name(side)] - reference[group.name(side)] for side in (0, 1)
        )
        margins.append(beta * (chosen - rejected))
    return Held(
        accuracy=sum(margin > 0 for margin in margins) / len(margins),
        loss=float(np.logaddexp(0.0, -np.array(margins)).mean()),
    )
