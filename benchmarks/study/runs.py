"""The runs of a plan: ordinary runs that share stages in one store, each measured once.

A run that is measured has a file in benchmarks/results/runs, so that another machine goes on with
those that are missing; what is under way goes on where it stopped.
"""

import json
import logging
import lzma
import multiprocessing
import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.measurement import RESULTS, commit
from benchmarks.study.facts import Facts, facts_of
from benchmarks.study.plan import Plan
from tasks.errors import DataError

Values = dict[str, dict[str, float]]
"""By metric and slice: value by prompt."""
RECORDED = "recorded"
"""The kind of world whose pairs are measured as well."""
Found = dict[str, dict[int, "Run"]]
"""Measured runs by variant and seed."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One finished run, measured."""

    variant: str
    seed: int
    run: str
    """Its name in the store."""
    values: dict[str, Values]
    """By cell and temperature, e.g. policy@0."""
    facts: Facts
    seconds: float
    """Of the attempt that finished it."""
    commit: str
    """Where the repository stood then."""
    start: str
    """Digest of the model it began with."""


def record_of(plan: Plan, variant: str, seed: int) -> Path:
    """Where a measured run is written down."""
    return RESULTS / "runs" / f"{plan.run(variant, seed)}.json.xz"


def read_run(path: Path) -> Run:
    """A run that was measured."""
    data = json.loads(lzma.decompress(path.read_bytes()))
    return Run(**data | {"facts": Facts(**data["facts"])})


def write_run(path: Path, run: Run) -> None:
    """Keep a measured run: values by prompt, packed to a fiftieth."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(run), separators=(",", ":"), sort_keys=True)
    part = path.with_suffix(".part")
    part.write_bytes(lzma.compress(text.encode()))
    part.replace(path)


def measured(plan: Plan) -> Found:
    """All runs of the plan that are measured already, whoever asked for them.

    DataError if they do not begin with one model: teaching may differ between machines.
    """
    found: Found = {}
    for variant in plan.variants:
        for seed in plan.seeds:
            if (path := record_of(plan, variant, seed)).is_file():
                found.setdefault(variant, {})[seed] = read_run(path)
    starts = {one.start for runs in found.values() for one in runs.values()}
    if len(starts) > 1:
        raise DataError(
            f"runs of the plan {plan.name!r} begin with {len(starts)} different models, so they "
            f"cannot be compared; remove one machine's from {RESULTS / 'runs'} and run them again"
        )
    return found


def missing(plan: Plan, variants: Iterable[str], seeds: Iterable[int]) -> list[tuple[str, int]]:
    """The runs that are to be made, the main variant's first: the others find its stages."""
    order = sorted(variants, key=lambda one: one != plan.main)
    wanted = [(variant, seed) for variant in order for seed in seeds]
    return [one for one in wanted if not record_of(plan, *one).is_file()]


def finished(plan: Plan, wanted: list[tuple[str, int]], jobs: int) -> Iterator[Run]:
    """The runs `wanted`, as they come, `jobs` side by side.

    The seeds of one variant follow each other, so two runs rarely need the same stage at once;
    where they do, one waits for the other. One that fails stops no other: RuntimeError names all
    that did when the others are done.
    """
    os.environ["OMP_NUM_THREADS"] = str(max(1, len(os.sched_getaffinity(0)) // jobs))
    context = multiprocessing.get_context("spawn")
    failures = []
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        runs = {pool.submit(run_and_measure, plan, *one): one for one in wanted}
        try:
            for run in as_completed(runs):
                if (error := run.exception()) is None:
                    yield run.result()
                else:
                    failures.append(f"{runs[run][0]} seed {runs[run][1]}: {error}")
                    print(f"FAILED {failures[-1]}", flush=True)
        finally:
            pool.shutdown(cancel_futures=True)
    if failures:
        raise RuntimeError("\n".join([f"{len(failures)} runs of {plan.name} failed:", *failures]))


def run_and_measure(plan: Plan, variant: str, seed: int) -> Run:
    """Do what is missing of one run, and let its last policy answer the plan's split.

    Cells other than the policy are measured for the main variant only.
    """
    logging.getLogger("prefect").setLevel(logging.WARNING)
    from flows.evaluation import evaluation
    from flows.tso import tso
    from infra.prefect.server import local_api
    from infra.run_tree import RunTree
    from infra.storage import open_store
    from tasks.rounds import resolve

    begun, name = time.monotonic(), plan.run(variant, seed)
    overrides = plan.overrides(variant, seed)
    common: dict[str, Any] = {"run": name, "preset": plan.preset, "overrides": overrides}
    with local_api():
        state = tso(**common, until=plan.num_rounds(variant), return_state=True)
        if not state.is_completed() or state.name == "PoolExhausted":
            state.result()
            raise RuntimeError(f"{name} ended early: {state.message}")
        artifact = evaluation(
            **common,
            split=plan.split,
            temperatures=tuple(plan.temperatures),
            cells=() if variant == plan.main else ("policy",),
        )
    store = open_store(resolve(plan.preset, overrides)[0].storage)
    values = values_of(store, artifact)
    if plan.world.get("kind") == RECORDED:
        values |= values_of_pairs(plan, store, name, with_shortcuts=variant == plan.main)
    run = Run(
        variant=variant,
        seed=seed,
        run=name,
        values=values,
        facts=facts_of(store, name),
        seconds=round(time.monotonic() - begun, 1),
        commit=commit(),
        start=(RunTree(store, name).read("frozen.json") or {})["base model"],
    )
    write_run(record_of(plan, variant, seed), run)
    return run


def values_of(store: Any, artifact: Any) -> dict[str, Values]:
    """The rows of an evaluation by cell, metric with slice, and prompt."""
    from infra.artifacts import open_artifact

    values: dict[str, Values] = {}
    for row in open_artifact(store, artifact).table().to_pylist():
        cell = values.setdefault(row["who"], {})
        cell.setdefault(f"{row['metric']} {row['slice']}", {})[row["prompt_id"]] = row["value"]
    return values


def values_of_pairs(plan: Plan, store: Any, run: str, with_shortcuts: bool) -> dict[str, Values]:
    """What the world's recorded pairs say of a run's last policy."""
    from benchmarks.study.margins import moved, shortcuts
    from benchmarks.study.worlds.recorded import World
    from infra.models import checkpoint_folder
    from infra.run_tree import RunTree
    from tasks.records import Checkpoint

    world = World.of(plan)
    pairs = world.pairs()
    start = pairs.scored(f"start-{plan.name}", world.parts, world.model, world.device)
    last = Checkpoint(**RunTree(store, run).manifests()[-1]["policy"])
    folder = checkpoint_folder(last, store.settings)
    policy = pairs.scored(run, world.parts, folder, world.device)
    values = {"policy": moved(pairs.rows, policy, start)}
    return values | (shortcuts(pairs.rows, start) if with_shortcuts else {})
