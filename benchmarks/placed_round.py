"""`python -m benchmarks.placed_round`: a round here, and one with every verb on a pool of its own.

A server, the deployments of prefect.yaml and four workers (processes) do the second one, two of
them sharing what is sampled. Says whether both rounds are the same, and what sending costs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measurement import write_result
from docs.weekly import ROOT, Deployed, deployed, wait_for
from infra.run_tree import RunTree
from infra.storage import open_store
from tests.small_run import PROMPTS_SECTION, prompt_rows, small_preset, write_rows

RUN = "placed"
SENT = {
    "placement.sample": {"deployment": "gpu-sampling", "workers": 2},
    "placement.judge": "cpu",
    "placement.score": "gpu-training",
    "placement.train": "gpu-training",
    "placement.evaluate": "cpu",
    "placement.poll_seconds": 1.0,
}
OVER = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def outcome(manifest: dict[str, Any]) -> dict[str, Any]:
    """All that a round comes to, without where its store is."""
    stages = {
        role: [one["content"], one["rows"], one["uri"].rpartition("/stages/")[2]]
        for role, one in manifest["artifacts"].items()
    }
    kept = ("counts", "figures", "gate", "strengths", "usefulness", "seed")
    return {"stages": stages, "policy": manifest["policy"]["sha256"]} | {
        name: manifest[name] for name in kept
    }


def manifest_of(store: Path) -> dict[str, Any]:
    """The manifest of the one round in a store."""
    [manifest] = RunTree(open_store(f"file://{store}"), RUN).manifests()
    return manifest


def here(preset: Path, folder: Path) -> float:
    """Seconds of the round in one process."""
    began = time.monotonic()
    environment = {**os.environ, "TSO_WORK": str(folder / "work"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", "from flows.cli import main; main()"]
    arguments = [
        "run",
        RUN,
        "--preset",
        str(preset),
        "--set",
        f"storage.root=file://{folder}/store",
    ]
    subprocess.run([*command, *arguments], cwd=ROOT, env=environment, check=True)
    return time.monotonic() - began


def elsewhere(lab: Deployed) -> dict[str, Any]:
    """The flow run of the round on pools, when it is over."""
    parameters = {"run": RUN, "preset": "quickstart", "rounds": 1, "until": None, "overrides": SENT}
    path = f"/deployments/{lab.deployment('tso/rounds')['id']}/create_flow_run"
    made = lab.api(path, {"parameters": parameters, "state": {"type": "SCHEDULED"}})

    def ended() -> Any:
        one = lab.flow_run(made["id"])
        return one if one["state_type"] in OVER else None

    found: dict[str, Any] = wait_for("the round", ended, 7200)
    if found["state_type"] != "COMPLETED":
        raise RuntimeError(f"the round on pools is {found['state']}")
    return found


def seconds(one: dict[str, Any], first: str, last: str) -> float:
    """From one moment of a flow run to another."""
    begin, end = (datetime.fromisoformat(one[name]) for name in (first, last))
    return round((end - begin).total_seconds(), 2)


def sent_to(lab: Deployed) -> list[dict[str, Any]]:
    """What became of each piece of work: how long it waited for its process, and ran."""
    found = lab.api("/flow_runs/filter", {"sort": "EXPECTED_START_TIME_ASC", "limit": 100})
    return [
        {
            "name": one["name"],
            "pool": one["work_pool_name"],
            "state": one["state_name"],
            "started_after_seconds": seconds(one, "created", "start_time"),
            "seconds": seconds(one, "start_time", "end_time"),
        }
        for one in found
        if one["parent_task_run_id"]
    ]


def compare(folder: Path, prompts: int) -> dict[str, Any]:
    """Both rounds, one after the other."""
    pool = write_rows(folder / "pool.jsonl", prompt_rows(train=prompts, held_out=16))
    section = PROMPTS_SECTION | {"files": [str(pool)], "per_round": prompts, "held_out": 8}
    preset = small_preset(folder, prompts=section)
    load = [round(one, 2) for one in os.getloadavg()]
    alone = here(preset, folder / "here")
    with deployed(folder / "lab", preset) as lab, ExitStack() as stack:
        for worker in ("sampling-worker", "training-worker"):
            stack.enter_context(lab.serve(worker))
        stack.enter_context(lab.serve("sampling-worker", "another"))
        wait_for("workers", lambda: lab.num_workers("gpu-sampling") == 2, 600)
        wait_for("a worker", lambda: lab.num_workers("gpu-training") == 1, 600)
        flow_run = elsewhere(lab)
        sent = sent_to(lab)
    local, placed = (outcome(manifest_of(one)) for one in (folder / "here/store", folder / "store"))
    return {
        "prompts": prompts,
        "load_before": load,
        "same_manifests": local == placed,
        "stages_compared": len(local["stages"]),
        "seconds_here": round(alone, 1),
        "seconds_on_pools": seconds(flow_run, "start_time", "end_time"),
        "flow_runs": sent,
        "median_started_after_seconds": median(one["started_after_seconds"] for one in sent),
    }


def main() -> int:
    """Measure and write benchmarks/results/placed_round.json; 1 if the rounds differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=256)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tso-placed-") as folder:
        metrics = compare(Path(folder), given.prompts)
    print(json.dumps(metrics, indent=1), write_result("placed_round", metrics), sep="\n")
    return 0 if metrics["same_manifests"] else 1


if __name__ == "__main__":
    sys.exit(main())
