"""`python -m benchmarks.quickstart`: what the quickstart's rounds gain, and what each part adds.

Ordinary runs that share stages, five seeds each, resumable: the same command goes on. `--seeds`
and `--variants` do a part; the table is written from all parts that are finished. `--plan
benchmarks/human_budget.yaml` measures what people's minutes add.
"""

import argparse
import logging
import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.measurement import write_result

PLAN = Path(__file__).with_suffix(".yaml")
RESAMPLES = 4000
Values = dict[str, dict[str, float]]
"""By metric and slice: value by prompt."""


def main() -> None:
    first = argparse.ArgumentParser(add_help=False)
    first.add_argument("--plan", type=Path, default=PLAN, help="variants, seeds and rounds")
    known, _ = first.parse_known_args()
    plan = yaml.safe_load(known.plan.read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=__doc__, parents=[first])
    parser.add_argument("--seeds", type=int, nargs="*", default=plan["seeds"])
    parser.add_argument("--variants", nargs="*", default=list(plan["variants"]))
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, a core each")
    wanted = parser.parse_args()
    os.environ.setdefault("TSO_WORK", str(Path("work").absolute()))
    from flows.quickstart.__main__ import FOLDER, prepare

    started = time.monotonic()
    prepare(FOLDER)
    seconds = {"teaching": round(time.monotonic() - started, 1)}
    found: dict[str, dict[int, dict[str, Values]]] = {}
    for variant, seed, answers, took in finished(wanted, plan):
        found.setdefault(variant, {})[seed] = answers
        seconds[f"{variant}-{seed}"] = round(took, 1)
        seconds["all"] = round(time.monotonic() - started, 1)
        path = write_result(known.plan.stem, table(found, plan) | {"seconds": seconds})
        print(f"{variant} seed {seed}: {took:.0f} s -> {path}", flush=True)


def finished(
    wanted: argparse.Namespace, plan: dict[str, Any]
) -> Iterator[tuple[str, int, dict[str, Values], float]]:
    """Variant, seed, values and seconds of every run, as they come, `--jobs` side by side.

    The seeds of one variant follow each other, so two runs rarely need the same stage at once;
    where they do, one waits for the other.
    """
    os.environ["OMP_NUM_THREADS"] = str(max(1, len(os.sched_getaffinity(0)) // wanted.jobs))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(wanted.jobs, mp_context=context) as pool:
        runs = {
            pool.submit(run_and_measure, variant, seed, plan): (variant, seed)
            for variant, seed in product(wanted.variants, wanted.seeds)
        }
        for run in as_completed(runs):
            yield *runs[run], *run.result()


def run_and_measure(
    variant: str, seed: int, plan: dict[str, Any]
) -> tuple[dict[str, Values], float]:
    """Values by cell of one finished run, and its seconds.

    Cells other than the policy are measured for the main variant only.
    """
    logging.getLogger("prefect").setLevel(logging.WARNING)
    from flows.evaluation import evaluation
    from flows.tso import tso
    from infra.artifacts import open_artifact
    from infra.prefect.server import local_api
    from infra.storage import open_store
    from tasks.rounds import resolve

    begun = time.monotonic()
    overrides = {**plan.get("all", {}), **plan["variants"][variant], "run.seed": seed}
    run = f"{plan.get('prefix', 'study')}-{variant}-{seed}".replace("_", "-")
    common = {"run": run, "preset": "quickstart", "overrides": overrides}
    with local_api():
        state = tso(**common, until=plan["rounds"], return_state=True)
        if not state.is_completed():
            state.result()
        artifact = evaluation(
            **common,
            split=plan["split"],
            temperatures=tuple(plan["temperatures"]),
            cells=() if variant == main_of(plan) else ("policy",),
        )
    config, _ = resolve("quickstart", overrides)
    rows = open_artifact(open_store(config.storage), artifact).table().to_pylist()
    values: dict[str, Values] = {}
    for row in rows:
        key = f"{row['metric']} {row['slice']}"
        cell = values.setdefault(row["who"], {})
        cell.setdefault(key, {})[row["prompt_id"]] = row["value"]
    return values, time.monotonic() - begun


def main_of(plan: dict[str, Any]) -> str:
    """The variant that all others are compared with."""
    return str(plan.get("main", "tso"))


def table(found: dict[str, dict[int, dict[str, Values]]], plan: dict[str, Any]) -> dict[str, Any]:
    """Means over seeds and prompts, per-constraint rates, and differences to TSO."""
    result: dict[str, Any] = {"variants": {}, "cells": {}, "differences": {}}
    for variant, by_seed in found.items():
        result["variants"][variant] = {
            f"T={t:g}": summary([one[f"policy@{t:g}"] for one in by_seed.values()])
            for t in plan["temperatures"]
        } | {"seeds": sorted(by_seed)}
    name_of_main = main_of(plan)
    main = found.get(name_of_main, {})
    for cell in sorted({name for one in main.values() for name in one}):
        result["cells"][cell] = summary([one[cell] for one in main.values() if cell in one])
    for name, others in rivals(found, plan):
        for t in plan["temperatures"]:
            seeds = sorted(main.keys() & others.keys())
            if seeds:
                ours = [main[s][f"policy@{t:g}"]["checks all"] for s in seeds]
                theirs = [others[s][t] for s in seeds]
                key = f"{name_of_main} - {name}, T={t:g}"
                result["differences"][key] = difference(ours, theirs)
    return result


def rivals(found: dict[str, Any], plan: dict[str, Any]) -> list[tuple[str, dict[int, Any]]]:
    """What TSO is compared with, by name: values by seed and temperature.

    A variant's policy at the same temperature; a cell always at the better of greedy and its own.
    """
    listed = []
    temperatures = plan["temperatures"]
    for variant, by_seed in found.items():
        if variant != main_of(plan):
            values = {
                seed: {t: one[f"policy@{t:g}"]["checks all"] for t in temperatures}
                for seed, one in by_seed.items()
            }
            listed.append((variant, values))
    main = found.get(main_of(plan), {})
    names = {name.partition("@")[0] for one in main.values() for name in one} - {"policy"}
    for cell in sorted(names):
        listed.append(
            (
                f"{cell} at its best",
                {seed: dict.fromkeys(temperatures, best(one, cell)) for seed, one in main.items()},
            )
        )
    return listed


def best(answers: dict[str, Values], cell: str) -> dict[str, float]:
    """The values of `cell` at the temperature where most prompts pass."""
    candidates = [one["checks all"] for name, one in answers.items() if name.startswith(f"{cell}@")]
    return max(candidates, key=lambda values: sum(values.values()))


def summary(runs: list[Values]) -> dict[str, Any]:
    """Mean share with all constraints met, by constraint, and length, over seeds and prompts."""
    keys = [key for key in runs[0] if key == "checks all" or "check:" in key or "asked" in key]
    per_seed = {key: [float(np.mean(list(run[key].values()))) for run in runs] for key in keys}
    return {
        key.removeprefix("checks "): {
            "mean": round(float(np.mean(values)), 4),
            "by_seed": [round(v, 4) for v in values],
        }
        for key, values in sorted(per_seed.items())
    }


def difference(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> dict[str, float]:
    """Mean paired difference with a 95 % interval, resampling seeds and prompts."""
    prompts = sorted(ours[0])
    gaps = np.array([[a[p] - b[p] for p in prompts] for a, b in zip(ours, theirs, strict=True)])
    rng = np.random.default_rng(0)
    seeds = rng.integers(0, len(gaps), (RESAMPLES, len(gaps)))
    picks = rng.integers(0, len(prompts), (RESAMPLES, len(prompts)))
    means = [gaps[s][:, p].mean() for s, p in zip(seeds, picks, strict=True)]
    low, high = np.quantile(means, [0.025, 0.975])
    return {
        "mean": round(float(gaps.mean()), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
        "seeds": len(gaps),
    }


if __name__ == "__main__":
    main()
