"""`python -m benchmarks.recipes`: TSO beside the methods that recipes are, three seeds each.

Ordinary runs that share stages in one store. `quickstart` and `gsm8k` name the parts, none means
both; `--plan` takes another file. `--variants` and `--seeds` do a part of a part. One file is
written for each finished run (results/runs), so the same command goes on where it was stopped;
results/recipes_NAME.json holds all that is measured so far. `--reckon` says how long it will take.
"""

import argparse
import os
from pathlib import Path

from benchmarks.measurement import write_result
from benchmarks.recipes.plans import FOLDER, recipes_plan
from benchmarks.study.__main__ import prepare, reckoned
from benchmarks.study.plan import Plan
from benchmarks.study.runs import finished, measured, missing
from benchmarks.study.tables import table

PARTS = ("quickstart", "gsm8k")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"{', '.join(PARTS)}; none means both")
    parser.add_argument("--plan", type=Path, help="another yaml; it names the results")
    parser.add_argument("--variants", nargs="*", help="some of the plan's")
    parser.add_argument("--seeds", type=int, nargs="*", help="some of the plan's")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, a core each")
    parser.add_argument("--reckon", action="store_true", help="say how long it takes")
    wanted = parser.parse_args()
    os.environ.setdefault("TSO_WORK", str(Path("work").absolute()))
    paths = (
        [wanted.plan] if wanted.plan else [FOLDER / f"{one}.yaml" for one in wanted.parts or PARTS]
    )
    for plan in map(recipes_plan, paths):
        some = missing(plan, wanted.variants or plan.variants, wanted.seeds or plan.seeds)
        print(reckoned(plan, some, wanted.jobs), flush=True)
        if not wanted.reckon:
            run_all(plan, some, wanted.jobs)


def run_all(plan: Plan, some: list[tuple[str, int]], jobs: int) -> None:
    """Do the runs; the results are written after each of them, also if a later one fails."""
    if some:
        prepare(plan)
    for run in finished(plan, some, jobs):
        print(f"{run.variant} seed {run.seed}: {run.seconds:.0f} s -> {save(plan)}", flush=True)
    print(save(plan))


def save(plan: Plan) -> Path:
    """Write the figures of all runs that are measured."""
    return write_result(f"recipes_{plan.name}", table(plan, measured(plan)))


if __name__ == "__main__":
    main()
