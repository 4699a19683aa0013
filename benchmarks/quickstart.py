"""`python -m benchmarks.quickstart`: what the quickstart's rounds gain, and what each part adds.

Ordinary runs that share stages, five seeds each, resumable: the same command goes on. `--seeds`
and `--variants` do a part; the table is written from all parts that are finished. `--plan
benchmarks/human_budget.yaml` measures what people's minutes add. The runs are those of
`python -m benchmarks.study`, with settings as they are shipped and models as rivals.
"""

import argparse
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measurement import write_result
from benchmarks.study.intervals import array_of, estimate
from benchmarks.study.plan import Plan, read_plan
from benchmarks.study.runs import Found, Values, finished, measured, missing

PLAN = Path(__file__).with_suffix(".yaml")
MEASURE = "checks all"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path, default=PLAN, help="variants, seeds and rounds")
    parser.add_argument("--seeds", type=int, nargs="*", help="some of the plan's")
    parser.add_argument("--variants", nargs="*", help="some of the plan's")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, a core each")
    wanted = parser.parse_args()
    os.environ.setdefault("TSO_WORK", str(Path("work").absolute()))
    from flows.quickstart.__main__ import FOLDER, prepare

    started = time.monotonic()
    prepare(FOLDER)
    seconds = {"teaching": round(time.monotonic() - started, 1)}
    plan = read_plan(wanted.plan)
    some = missing(plan, wanted.variants or plan.variants, wanted.seeds or plan.seeds)
    for run in finished(plan, some, wanted.jobs):
        seconds["all"] = round(time.monotonic() - started, 1)
        print(f"{run.variant} seed {run.seed}: {run.seconds:.0f} s", flush=True)
        print(save(plan, seconds), flush=True)
    print(save(plan, seconds))


def save(plan: Plan, seconds: Mapping[str, float]) -> Path:
    """Write the table of all runs that are measured."""
    found = measured(plan)
    took = {
        f"{variant}-{seed}": run.seconds
        for variant, by_seed in found.items()
        for seed, run in by_seed.items()
    }
    return write_result(plan.name, table(plan, found) | {"seconds": {**seconds, **took}})


def table(plan: Plan, found: Found) -> dict[str, Any]:
    """Means over seeds and prompts, per-constraint rates, and differences to the main variant."""
    result: dict[str, Any] = {"variants": {}, "cells": {}, "differences": {}}
    for variant, by_seed in found.items():
        result["variants"][variant] = {
            f"T={t:g}": summary([one.values[f"policy@{t:g}"] for one in by_seed.values()])
            for t in plan.temperatures
        } | {"seeds": sorted(by_seed)}
    main = found.get(plan.main, {})
    for cell in sorted({name for one in main.values() for name in one.values}):
        runs = [one.values[cell] for one in main.values() if cell in one.values]
        result["cells"][cell] = summary(runs)
    for name, others in rivals(plan, found):
        for t in plan.temperatures:
            seeds = sorted(main.keys() & others.keys())
            if seeds:
                ours = {s: main[s].values[f"policy@{t:g}"][MEASURE] for s in seeds}
                theirs = {s: others[s][t] for s in seeds}
                key = f"{plan.main} - {name}, T={t:g}"
                gaps = array_of(ours, seeds) - array_of(theirs, seeds)
                result["differences"][key] = estimate(gaps).rounded()
    return result


def rivals(plan: Plan, found: Found) -> list[tuple[str, dict[int, Any]]]:
    """What the main variant is compared with, by name: values by seed and temperature.

    A variant's policy at the same temperature; a cell always at the better of greedy and its own.
    """
    listed = []
    for variant, by_seed in found.items():
        if variant != plan.main:
            values = {
                seed: {t: one.values[f"policy@{t:g}"][MEASURE] for t in plan.temperatures}
                for seed, one in by_seed.items()
            }
            listed.append((variant, values))
    main = found.get(plan.main, {})
    names = {name.partition("@")[0] for one in main.values() for name in one.values} - {"policy"}
    for cell in sorted(names):
        best_of = {
            seed: dict.fromkeys(plan.temperatures, best(one.values, cell))
            for seed, one in main.items()
        }
        listed.append((f"{cell} at its best", best_of))
    return listed


def best(answers: Mapping[str, Values], cell: str) -> dict[str, float]:
    """The values of `cell` at the temperature where most prompts pass."""
    candidates = [one[MEASURE] for name, one in answers.items() if name.startswith(f"{cell}@")]
    return max(candidates, key=lambda values: sum(values.values()))


def summary(runs: list[Values]) -> dict[str, Any]:
    """Mean share with all constraints met, by constraint, and length, over seeds and prompts."""
    keys = [key for key in runs[0] if key == MEASURE or "check:" in key or "asked" in key]
    per_seed = {key: [float(np.mean(list(run[key].values()))) for run in runs] for key in keys}
    return {
        key.removeprefix("checks "): {
            "mean": round(float(np.mean(values)), 4),
            "by_seed": [round(v, 4) for v in values],
        }
        for key, values in sorted(per_seed.items())
    }


if __name__ == "__main__":
    main()
