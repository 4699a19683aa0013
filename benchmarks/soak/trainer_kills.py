"""`python -m benchmarks.soak.trainer_kills`: SIGKILL the trainer; its weights come out the same.

An undisturbed training is measured first. Steps are then drawn uniformly; the attacked training is
killed a random part of a step after each, or (every second kill) while the next checkpoint is being
written, and started again.
"""

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.measurement import write_result
from tasks.weights import weights_digest

PROMPTS = 8
STEPS = 240
EVERY = 4
"""Steps between checkpoints: with a model this small, writing takes much of the time."""
LONGEST_SECONDS = 1800.0
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Kill:
    """One SIGKILL."""

    step: int
    """Not before this step is made."""
    seconds: float
    """This long after it, or after a checkpoint began to be written."""
    writing: bool
    """Whether it waits for a checkpoint to be written."""


@dataclass(frozen=True, kw_only=True)
class Struck:
    """What a kill met."""

    step: int
    """Steps made."""
    unfinished: bool
    """Whether it left a checkpoint without DONE."""
    seconds: float
    """Since the first start of the attacked training."""


def prepare(workdir: Path, steps: int) -> None:
    """Examples and spec.json of a training on a tiny model; needs no network."""
    from tests.tiny_models import tiny_model
    from tests.training.training_jobs import pair_examples, train_spec, write_examples

    workdir.mkdir(parents=True)
    model = tiny_model(hidden_size=64, intermediate_size=256)
    write_examples(workdir, pair_examples(model, PROMPTS))
    settings = {
        "max_steps": steps, "epochs": steps, "checkpoint_every": EVERY,
        "decay": "cosine", "weight_decay": 0.1, "stop_when_clipped": 1.0,
    }  # fmt: skip
    spec = train_spec(model, settings=settings, expect_reference=True)
    (workdir / "spec.json").write_text(json.dumps(spec))


def start(workdir: Path) -> subprocess.Popen[bytes]:
    """The trainer in `workdir`, as a launcher starts it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tasks.training", str(workdir)]
    (workdir / "progress.jsonl").unlink(missing_ok=True)
    with (workdir / "log.txt").open("ab") as log:
        return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)


def steps_made(workdir: Path) -> int:
    """Lines of the metrics file; after a kill some may be made again."""
    path = workdir / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def unfinished(workdir: Path) -> bool:
    """Whether there is a checkpoint without DONE now."""
    folders = list((workdir / "checkpoints").glob("step-*"))
    return any(not (folder / "DONE").exists() for folder in folders)


def drawn(kills: int, seed: int, steps: int, step_seconds: float) -> list[Kill]:
    """Kills in order of their steps."""
    chance = random.Random(seed)
    chosen = sorted(chance.sample(range(1, steps - EVERY), kills))
    return [
        Kill(step=step, seconds=chance.random() * step_seconds, writing=number % 2 == 1)
        for number, step in enumerate(chosen)
    ]


def survive(workdir: Path, kills: Sequence[Kill]) -> tuple[list[Struck], int]:
    """Train to the end through all `kills`: what they met, and how often it was started.

    RuntimeError if the trainer fails by itself.
    """
    waiting, struck, starts, code = list(kills), [], 0, None
    began = time.monotonic()
    while code != 0:
        if starts > len(kills) + 2:
            raise RuntimeError(f"the trainer fails by itself (code {code}); see {workdir}/log.txt")
        process = start(workdir)
        starts += 1
        if waiting and _moment_comes(workdir, waiting[0], process):
            waiting.pop(0)
            process.send_signal(signal.SIGKILL)
            process.wait()
            seconds = round(time.monotonic() - began, 2)
            left = unfinished(workdir)
            struck.append(Struck(step=steps_made(workdir), unfinished=left, seconds=seconds))
        code = process.wait()
    return struck, starts


def _moment_comes(workdir: Path, kill: Kill, process: subprocess.Popen[bytes]) -> bool:
    """Whether the moment came before the process ended."""
    if not _wait(lambda: _says_something(workdir), process):
        return False  # until then an old unfinished checkpoint may lie there
    if not _wait(lambda: steps_made(workdir) >= kill.step, process):
        return False
    if kill.writing and not _wait(lambda: unfinished(workdir), process):
        return False
    time.sleep(kill.seconds / 4 if kill.writing else kill.seconds)
    return process.poll() is None


def _says_something(workdir: Path) -> bool:
    path = workdir / "progress.jsonl"
    return path.exists() and path.stat().st_size > 0


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    end = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if ready():
            return True
        time.sleep(0.0005)
    return False


def trained(workdir: Path) -> dict[str, Any]:
    """What a finished training left: digest of the weights, and metrics without the clock's."""
    rows = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    for row in rows:
        del row["tokens_per_second"]
    return {"sha256": weights_digest(workdir / "model"), "metrics": rows}


def soak(folder: Path, kills: int, seed: int, steps: int = STEPS) -> dict[str, Any]:
    """Both trainings and what they have in common."""
    calm, hunted = folder / "calm", folder / "hunted"
    for workdir in (calm, hunted):
        prepare(workdir, steps)
    began = time.monotonic()
    process = start(calm)
    made: list[float] = []
    while process.poll() is None:
        if steps_made(calm) > len(made):
            made.append(time.monotonic())
        time.sleep(0.002)
    if process.returncode:
        raise RuntimeError(f"the undisturbed training failed; see {calm}/log.txt")
    seconds = time.monotonic() - began
    pace = statistics.median(b - a for a, b in pairwise(made))
    plan = drawn(kills, seed, steps, pace)
    struck, starts = survive(hunted, plan)
    one, other = trained(calm), trained(hunted)
    lost = [hit.step - hit.step // EVERY * EVERY for hit in struck]
    return {
        "steps": steps,
        "checkpoint_every": EVERY,
        "planned": [f"step {k.step}{' while saving' if k.writing else ''}" for k in plan],
        "struck_after_step": [hit.step for hit in struck],
        "struck_while_saving": sum(hit.unfinished for hit in struck),
        "missed": kills - len(struck),
        "starts": starts,
        "steps_made_again_at_least": sum(lost),
        "sha256": one["sha256"],
        "equal_weights": one["sha256"] == other["sha256"],
        "equal_metrics": one["metrics"] == other["metrics"],
        "seconds": {
            "undisturbed": round(seconds, 1),
            "one_step": round(pace, 4),
            "kills_at": [hit.seconds for hit in struck],
        },
    }


def main() -> int:
    """Soak, write benchmarks/results/trainer_kills.json; 1 if the weights differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = Path("work/soak").absolute() / "trainer_kills"
    shutil.rmtree(folder, ignore_errors=True)
    metrics = soak(folder, options.kills, options.seed)
    print(metrics, write_result("trainer_kills", metrics), sep="\n")
    fine = metrics["equal_weights"] and metrics["equal_metrics"] and not metrics["missed"]
    return int(not fine)


if __name__ == "__main__":
    sys.exit(main())
