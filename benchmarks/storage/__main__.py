"""Checkpoints to and from a real S3 server beside boto3's own transfer, and finding stages there.

    python -m benchmarks.storage

One OpenStack Swift on this machine; each transfer in a process of its own; the sides take turns.
Ours hash every byte on the way and verify; boto3's do not. Takes some minutes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from hashlib import file_digest
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measurement import write_result
from infra.environment import ROOT, storage_python
from infra.stages import Stage, StageKey
from infra.storage import open_store
from infra.swift import SwiftServer

REPETITIONS = 3
LEAST_RATIO = 0.8
MOST_SECONDS = 1.0
BUCKET = "benchmark"
STORE = f"s3://{BUCKET}/tso"


def main(mib: int) -> int:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with SwiftServer(folder / "swift") as server:
            server.make_bucket(BUCKET)
            os.environ.update(server.environment())
            metrics = measured(folder, mib)
    metrics["versions"] = {
        name: version(name) for name in ("s3fs", "aiobotocore", "botocore")
    } | _theirs()
    print(write_result("storage", metrics))
    print(json.dumps(metrics["verdict"], indent=1))
    return 0 if all(metrics["verdict"].values()) else 1


def _theirs() -> dict[str, str]:
    program = "from importlib.metadata import version as v; print(v('boto3'), v('swift'))"
    done = subprocess.run(
        [str(storage_python()), "-c", program], capture_output=True, text=True, check=True
    )
    boto3, swift = done.stdout.split()
    return {"boto3": boto3, "swift": swift}


def measured(folder: Path, mib: int) -> dict[str, Any]:
    """Every repetition, medians and ratios."""
    file = folder / "checkpoint"
    write_random(file, mib)
    with file.open("rb") as stream:
        sha256 = file_digest(stream, "sha256").hexdigest()
    runs: dict[str, dict[str, list[dict[str, float]]]] = {}
    for number in range(REPETITIONS):
        for do in ("put", "get"):
            sides = ["boto3", "ours"] if number % 2 == 0 else ["ours", "boto3"]
            for side in sides:
                local = file if do == "put" else folder / f"back-{side}"
                found = transferred(side, do, local, sha256)
                runs.setdefault(do, {}).setdefault(side, []).append(found)
                print(f"{number} {do} {side}: {mib / found['seconds']:.0f} MiB/s", flush=True)
    open_stage = Stage(open_store(STORE), StageKey(verb="pair", settings={"rule": "benchmark"}))
    open_stage.commit(tables={}, facts={"made": True})
    stages = [run("-m", "benchmarks.storage.our_side", "stage", STORE) for _ in range(REPETITIONS)]
    return {"mib": mib, **ratios(runs, mib), "recognise_stage": stages} | verdict(runs, stages)


def transferred(side: str, do: str, local: Path, sha256: str) -> dict[str, float]:
    """One transfer in a process of its own."""
    if side == "ours":
        path = "checkpoints/ours"
        return run("-m", "benchmarks.storage.our_side", do, str(local), STORE, path, sha256)
    program = Path(__file__).with_name("boto3_side.py")
    return run(program, do, local, BUCKET, "boto3/checkpoint", python=storage_python())


def run(*arguments: Any, python: Path = Path(sys.executable)) -> dict[str, float]:
    """What a program prints."""
    done = subprocess.run(
        [str(python), *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{arguments} ended with {done.returncode}: {done.stderr}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def ratios(runs: dict[str, Any], mib: int) -> dict[str, Any]:
    """Medians of MiB/s and of peak memory, and ours as a multiple of boto3's."""
    speed = {
        do: {side: mib / median(one["seconds"] for one in found) for side, found in sides.items()}
        for do, sides in runs.items()
    }
    return {
        "runs": runs,
        "mib_per_second": speed,
        "ratio": {do: one["ours"] / one["boto3"] for do, one in speed.items()},
        "peak_mib": {
            do: {side: median(one["peak_mib"] for one in found) for side, found in sides.items()}
            for do, sides in runs.items()
        },
    }


def verdict(runs: dict[str, Any], stages: list[dict[str, float]]) -> dict[str, Any]:
    """Whether the promises hold."""
    found = ratios(runs, 1)["ratio"]
    return {
        "verdict": {
            f"upload at least {LEAST_RATIO} of boto3's": found["put"] >= LEAST_RATIO,
            f"download at least {LEAST_RATIO} of boto3's": found["get"] >= LEAST_RATIO,
            f"a finished stage recognised in {MOST_SECONDS:g} s": max(
                median(one[name] for one in stages) for name in ("first", "seconds")
            )
            <= MOST_SECONDS,
        }
    }


def write_random(file: Path, mib: int) -> None:
    with file.open("wb") as stream:
        for _ in range(mib):
            stream.write(os.urandom(2**20))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=512, help="size of the checkpoint")
    sys.exit(main(parser.parse_args().mib))
