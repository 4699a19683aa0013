"""`python -m benchmarks.trainer`: our trainer beside TRL's DPOTrainer, on the shared data.

Resumable: what was measured at the same commit with the same plan is not measured again. `--sets`
and `--parts` do a part; the results file keeps the other parts.
"""

import argparse
import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measurement import RESULTS, write_result
from benchmarks.trainer.accuracy import measure_accuracy
from benchmarks.trainer.environment import ROOT, trl_python, versions
from benchmarks.trainer.jobs import Trainers
from benchmarks.trainer.model import make_model, num_parameters
from benchmarks.trainer.page import write_page
from benchmarks.trainer.plan import PLAN, read_plan
from benchmarks.trainer.speed import measure_set
from benchmarks.trainer.table import text
from benchmarks.trainer.trajectory import measure_trajectory
from infra.work import work_root
from tasks.canonical import digest

PARTS = ("sets", "trajectory", "accuracy")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for, write results and page, print the tables."""
    wanted = _arguments(arguments)
    plan = read_plan(wanted.plan)
    python = trl_python()
    work = digest([plan.model_dump(), _commit()])[:12]
    folder = work_root() / "trainer-benchmark" / work
    folder.mkdir(parents=True, exist_ok=True)
    model = make_model(folder / "model", plan)
    trainers = Trainers(plan=plan, model=model, trl_python=python)
    metrics = _earlier(wanted.name, work) | {
        "plan": plan.model_dump(),
        "trl_environment": versions(python),
        "parameters": num_parameters(model),
    }
    for part, measured in _measured(trainers, folder, wanted):
        if part in plan.sets:
            metrics["sets"][part] = measured
        else:
            metrics[part] = measured
        path = write_result(wanted.name, metrics)
    print(f"{text(metrics)}\n\n-> {path}, {write_page(path)}")


def _measured(
    trainers: Trainers, folder: Path, wanted: argparse.Namespace
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and figures of every part and set that is asked for."""
    sets = trainers.plan.sets
    if unknown := set(wanted.sets or []) - sets.keys():
        raise SystemExit(f"the plan has no sets {sorted(unknown)}; it has {sorted(sets)}")
    pairs = next(one for one in sets.values() if one.source == "pairs")
    if "trajectory" in wanted.parts:
        yield "trajectory", measure_trajectory(trainers, folder / "trajectory", pairs)
    for name in (wanted.sets or list(sets)) if "sets" in wanted.parts else []:
        yield name, measure_set(trainers, folder / name, sets[name])
    if "accuracy" in wanted.parts:
        yield "accuracy", measure_accuracy(trainers, folder / "accuracy", pairs)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trainer", description=__doc__)
    parser.add_argument("--sets", nargs="*", help="of the plan; all of them if not given")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--plan", type=Path, default=PLAN, help="another plan than plan.yaml")
    parser.add_argument("--name", default="trainer", help="of the results file")
    return parser.parse_args(arguments)


def _earlier(name: str, work: str) -> dict[str, Any]:
    """What the results file says already, if it is of the same commit and plan."""
    path = RESULTS / f"{name}.json"
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["metrics"]
        if found["work"] == work:
            return found
    return {"work": work, "sets": {}}


def _commit() -> str:
    command = ["git", "rev-parse", "HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
