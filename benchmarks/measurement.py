"""What every benchmark's result says about where it comes from."""

import json
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("prefect", "torch", "transformers", "pyarrow", "pandas")


def commit() -> str:
    """Where the repository stands, in short."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def write_result(name: str, metrics: dict[str, Any]) -> Path:
    """Write benchmarks/results/<name>.json: figures with command, commit, machine, versions."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    result = {
        "name": name,
        "command": "python -m " + " ".join([_module(), *sys.argv[1:]]),
        "commit": commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cpu": cpu, "cores": len(_cores()), "system": platform.platform()},
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        "metrics": metrics,
    }
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return path


def _module() -> str:
    spec = sys.modules["__main__"].__spec__
    return spec.name.removesuffix(".__main__") if spec else sys.argv[0]


def _cores() -> set[int]:
    import os

    return os.sched_getaffinity(0)
