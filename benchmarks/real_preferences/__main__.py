"""`python -m benchmarks.real_preferences`: DPO and dual clip on pairs that real judges decided.

A model of 3.8 million parameters is taught on `pretrain_corpus` and then trained on GSM8K pairs
(correct against incorrect) and on AI preference pairs (GPT-4's verdicts). Measured is the share of
held-out pairs whose chosen response has the higher reward, next to what length, the reference's
likelihood and knowing the writers would give. Prompts of the two sets are in no demonstration.

Everything stands in real_preferences.yaml and was fixed before the first run but the learning
rates: `--tune` runs every rate of the grid with seeds of its own and measures on dev prompts, which
are neither trained nor measured on here; the yaml takes each loss's best overall accuracy there.
Finished parts lie in work/real-preferences: the same command goes on. It writes
results/real_preferences.json and docs/real-preferences.md; `--page` writes the page alone.
"""

import argparse
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.measurement import write_result
from benchmarks.real_preferences.measures import pair_table
from benchmarks.real_preferences.page import write_page
from benchmarks.real_preferences.parts import notes_of
from benchmarks.real_preferences.preferences import win_rates
from benchmarks.real_preferences.prepared import Logps, PreparedSet, measured_pairs, prepare
from benchmarks.real_preferences.results import Run, run_of, set_figures, tuning_figures
from benchmarks.real_preferences.study import (
    PLAN,
    Trial,
    read_plan,
    read_sets,
    reference_scores,
    train_and_score,
)
from benchmarks.real_preferences.teaching import taught_model

DATA = Path(os.environ.get("TSO_SHARED_DATA", "../shared/data"))
Task = tuple[str, Trial]
"""Name of a set and what to run on it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path, default=PLAN, help="another yaml; names the results")
    parser.add_argument("--tune", action="store_true", help="learning rates on dev, no held-out")
    parser.add_argument("--page", action="store_true", help="write the page from the results")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, a core each")
    wanted = parser.parse_args()
    if wanted.page:
        print(write_page(wanted.plan.stem))
        return
    plan = read_plan(wanted.plan)
    name = wanted.plan.stem + ("_tuning" if wanted.tune else "")
    path = study(plan, name, data=DATA, tune=wanted.tune, jobs=wanted.jobs)
    print(path)
    if wanted.plan == PLAN and not wanted.tune:
        print(write_page(name))


def study(plan: dict[str, Any], name: str, *, data: Path, tune: bool, jobs: int) -> Path:
    """Do what is missing; results/`name`.json is written after every run."""
    os.environ["OMP_NUM_THREADS"] = str(max(1, len(os.sched_getaffinity(0)) // jobs))
    root = Path(os.environ.get("TSO_WORK", "work")) / "real-preferences"
    started = time.monotonic()
    found = read_sets(plan, data)
    cores = len(os.sched_getaffinity(0))
    model, taught = taught_model(plan, found, data, root, threads=cores)
    sets = {one: prepare(one, some, model, plan) for one, some in found.items()}
    tasks = list(tuning_tasks(plan) if tune else study_tasks(plan))
    runs = Runs(plan=plan, root=root, model=model, part="dev" if tune else "held_out")
    path = Path()
    with ThreadPoolExecutor(jobs) as pool:
        runs.references = dict(zip(sets, pool.map(runs.reference, sets.values()), strict=True))
        for task, run in runs.finished(pool, sets, tasks):
            runs.add(task, run)
            figures = runs.by_rate(sets) if tune else runs.figures(sets)
            seconds = {**runs.seconds, "this_call": round(time.monotonic() - started, 1)}
            metrics = {"plan": plan, "teaching": taught, "sets": figures, "seconds": seconds}
            path = write_result(name, metrics)
            print(f"{task[0]} {task[1]}: {sum(run.seconds):.0f} s", flush=True)
    return path


def study_tasks(plan: Mapping[str, Any]) -> Iterator[Task]:
    """Every set, seed and loss at the chosen learning rates."""
    for one, seed, loss in product(plan["sets"], plan["seeds"], plan["losses"]):
        yield one, Trial(loss=loss, learning_rate=plan["learning_rates"][one][loss], seed=seed)


def tuning_tasks(plan: Mapping[str, Any]) -> Iterator[Task]:
    """Every set, loss and learning rate of the grid, with the tuning's own seeds."""
    tuning = plan["tuning"]
    grid = product(plan["sets"], tuning["learning_rates"], tuning["seeds"], plan["losses"])
    for one, rate, seed, loss in grid:
        yield one, Trial(loss=loss, learning_rate=rate, seed=seed)


class Runs:
    """The study's runs as they come, with what they share."""

    def __init__(self, *, plan: dict[str, Any], root: Path, model: Path, part: str) -> None:
        self.plan, self.root, self.model, self.part = plan, root, model, part
        self.references: dict[str, Logps] = {}
        self.seconds: dict[str, float] = {}
        self._found: dict[str, dict[tuple[str, float], dict[int, Run]]] = {}

    def reference(self, one: PreparedSet) -> Logps:
        """The taught model's log-probabilities of all that is trained or measured on."""
        seeds = [*self.plan["seeds"], *self.plan["tuning"]["seeds"]]
        folder, logps = reference_scores(one, self.model, self.plan, self.root, seeds)
        self.seconds[f"reference-{one.name}"] = notes_of(folder)["seconds"]
        return logps

    def finished(
        self, pool: ThreadPoolExecutor, sets: Mapping[str, PreparedSet], tasks: Iterable[Task]
    ) -> Iterator[tuple[Task, Run]]:
        """The measured runs of `tasks`, in the order in which they end."""
        asked = {pool.submit(self._run, sets[task[0]], task[1]): task for task in tasks}
        for run in as_completed(asked):
            yield asked[run], run.result()

    def _run(self, one: PreparedSet, trial: Trial) -> Run:
        reference = self.references[one.name]
        policy, trained, scored = train_and_score(
            one, trial, self.part, self.model, reference, self.plan, self.root
        )
        return run_of(self.table(one), policy, reference, trained, scored, trial.learning_rate)

    def table(self, one: PreparedSet) -> Any:
        """The measured pairs of a set."""
        pairs, drawn = measured_pairs(one, self.part, self.plan)
        rates = win_rates(one.split.train)
        return pair_table(one, pairs, drawn, self.plan["length_matched"], rates)

    def add(self, task: Task, run: Run) -> None:
        """Keep a run."""
        name, trial = task
        by_seed = self._found.setdefault(name, {})
        by_seed.setdefault((trial.loss, trial.learning_rate), {})[trial.seed] = run

    def figures(self, sets: Mapping[str, PreparedSet]) -> dict[str, Any]:
        """The figures of every set so far."""
        result: dict[str, Any] = {}
        for name, found in self._found.items():
            runs = {loss: by_seed for (loss, _), by_seed in found.items()}
            table, reference = self.table(sets[name]), self.references[name]
            figures = set_figures(table, reference, runs, self.plan["losses"])
            result[name] = {"counts": sets[name].counts, **figures}
        return result

    def by_rate(self, sets: Mapping[str, PreparedSet]) -> dict[str, Any]:
        """Accuracy on dev of every loss and learning rate so far."""
        result: dict[str, Any] = {}
        for name, found in self._found.items():
            table = self.table(sets[name])
            for (loss, rate), by_seed in sorted(found.items()):
                of_loss = result.setdefault(name, {}).setdefault(loss, {})
                of_loss[f"{rate:g}"] = tuning_figures(table, by_seed)
        return result


if __name__ == "__main__":
    main()
