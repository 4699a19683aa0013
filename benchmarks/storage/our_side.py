"""Our store's work on S3, each in a process of its own; prints seconds and peak memory.

`python -m benchmarks.storage.our_side put|get FILE ROOT PATH SHA256`
`python -m benchmarks.storage.our_side stage ROOT`: how long a finished stage takes to recognise
"""

import json
import sys
import time
from pathlib import Path

from infra.stages import Stage, StageKey
from infra.storage import StoredFile, open_store

CALLS = 20
"""Stages that are recognised one after another."""


def transfer(do: str, file: str, root: str, path: str, sha256: str) -> dict[str, float]:
    """Put or get one file; the store is connected before."""
    store, local = open_store(root), Path(file)
    store.exists("nothing")
    began = time.perf_counter()
    if do == "put":
        assert store.put_file(local, path).sha256 == sha256
    else:
        size = store.size(path)
        store.get_file(StoredFile(path=path, sha256=sha256, size=size), local)
    return {"seconds": time.perf_counter() - began}


def recognise(root: str) -> dict[str, float]:
    """The first time with all that has to be set up, then the mean of several others."""
    began = time.perf_counter()
    key = StageKey(verb="pair", settings={"rule": "benchmark"})
    assert Stage(open_store(root), key).finished() is not None
    first = time.perf_counter() - began
    began = time.perf_counter()
    for _ in range(CALLS):
        assert Stage(open_store(root), key).finished() is not None
    return {"first": first, "seconds": (time.perf_counter() - began) / CALLS}


def peak_mib() -> float:
    """Highest resident memory of this process (MiB)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main(do: str, *arguments: str) -> None:
    found = recognise(*arguments) if do == "stage" else transfer(do, *arguments)
    print(json.dumps({**found, "peak_mib": peak_mib()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
