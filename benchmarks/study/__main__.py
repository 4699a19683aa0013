"""`python -m benchmarks.study`: what TSO's parts add, and how much its clip and beta matter.

Ordinary runs, five seeds each, that share stages in one store. Everything stands in the yaml files
of this folder, and was fixed before the first measured run. The parts are named by them, none means
all: `python -m benchmarks.study quickstart`. `--variants`, `--seeds` do a part of a part; the same
command goes on where it was stopped, and the results hold all that is measured so far. `--reckon`
says how long it will take; `page` writes docs/study.md alone.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

from benchmarks.measurement import write_result
from benchmarks.study.page import write_page
from benchmarks.study.plan import FOLDER, Plan, read_plan
from benchmarks.study.runs import RECORDED, finished, measured, missing
from benchmarks.study.sensitivity import chosen, with_grid
from benchmarks.study.soundness import check
from benchmarks.study.tables import table

PARTS = ("quickstart", "gsm8k", "alpaca_eval", "sensitivity")
PAGE = "page"
SMALL = "small"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"{', '.join(PARTS)}, {PAGE}; none means all")
    parser.add_argument("--plan", type=Path, help="another yaml; it names the results")
    parser.add_argument("--variants", nargs="*", help="some of the plan's")
    parser.add_argument("--seeds", type=int, nargs="*", help="some of the plan's")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, a core each")
    parser.add_argument("--size", default=SMALL, help="of the model on recorded data")
    parser.add_argument("--reckon", action="store_true", help="say how long it takes")
    wanted = parser.parse_args()
    os.environ.setdefault("TSO_WORK", str(Path("work").absolute()))
    failed = []
    for plan in plans_of(wanted):
        some = missing(plan, wanted.variants or plan.variants, wanted.seeds or plan.seeds)
        print(reckoned(plan, some, wanted.jobs), flush=True)
        if not wanted.reckon:
            try:
                study(plan, some, wanted.jobs)
            except RuntimeError as error:
                failed.append(str(error))
    if not wanted.reckon and not wanted.plan:
        print(write_page())
    if failed:
        raise SystemExit("\n".join(failed))


def plans_of(wanted: argparse.Namespace) -> list[Plan]:
    """The plans that are asked for."""
    if wanted.plan:
        return [sized(read_plan(wanted.plan), wanted.size)]
    if unknown := set(wanted.parts) - {*PARTS, PAGE}:
        raise SystemExit(f"no part {sorted(unknown)}; there are: {', '.join((*PARTS, PAGE))}")
    plans = [read_plan(FOLDER / f"{one}.yaml") for one in wanted.parts or PARTS if one != PAGE]
    return [sized(plan, wanted.size) for plan in plans]


def sized(plan: Plan, size: str) -> Plan:
    """The plan with its grid, or with a model of another size; other plans have one size."""
    if plan.grid:
        return with_grid(plan)
    if plan.world["kind"] != RECORDED or size == SMALL:
        return plan
    settings = {
        "run.base_model": f"work/study/models/{size}",
        "matrix.policy.device": "cuda",
        "training.device": "cuda",
    }
    return replace(
        plan,
        name=f"{plan.name}_{size}",
        prefix=f"{plan.prefix}-{size}",
        title=f"{plan.title}, {size}",
        world={**plan.world, "size": size},
        all={**plan.all, **settings},
    )


def reckoned(plan: Plan, some: list[tuple[str, int]], jobs: int) -> str:
    """How much is left to do."""
    minutes = sum(plan.seconds_of(variant) for variant, _ in some) / jobs / 60
    return f"{plan.name}: {len(some)} runs to do, about {minutes:.0f} minutes {jobs} side by side"


def study(plan: Plan, some: list[tuple[str, int]], jobs: int) -> None:
    """Do the runs; results/study_NAME.json is written after each of them."""
    if some:
        prepare(plan)
    save(plan)
    for run in finished(plan, some, jobs):
        print(f"{run.variant} seed {run.seed}: {run.seconds:.0f} s -> {save(plan)}", flush=True)


def save(plan: Plan) -> Path:
    """Look whether the runs are sound, and write the figures of all that are measured."""
    found = measured(plan)
    check(plan, found)
    metrics = table(plan, found)
    if plan.grid:
        metrics["choice"] = chosen(plan, found)
    return write_result(f"study_{plan.name}", metrics)


def prepare(plan: Plan) -> None:
    """Make the plan's world, unless it is there or nothing is to be made."""
    if not plan.world:
        return
    if plan.world["kind"] == RECORDED:
        from benchmarks.study.worlds.recorded import World

        World.of(plan).prepare(plan.world)
    else:
        from flows.quickstart.__main__ import FOLDER as QUICKSTART
        from flows.quickstart.__main__ import prepare as prepare_quickstart

        prepare_quickstart(QUICKSTART)


if __name__ == "__main__":
    main()
