"""`python -m benchmarks.soak.vllm_kills`: SIGKILL sampling and judging with vLLM, count calls.

The process that samples and then judges is killed when its servers have received a random number
of calls, ten times; its servers go with it and are started anew. Calls are counted by the servers
themselves. What reached them must be what was needed and what was in flight at the kills.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measurement import write_result
from benchmarks.soak.watched import wait

LONGEST_SECONDS = 1800.0
SETTLED_SECONDS = 15.0
"""Servers of a killed process are gone by then, and receive nothing more."""


@dataclass(frozen=True, kw_only=True)
class Soak:
    """What is done, and how often it is disturbed."""

    prompts: int
    samples: int
    kills: int
    seed: int
    width: int = 16
    """Questions to the judge under way at a time."""

    @property
    def needed(self) -> int:
        """Calls without any kill: a request and a question for each prompt."""
        return 2 * self.prompts

    def moments(self) -> list[int]:
        """How many calls have been received when each kill strikes, ascending."""
        chance = random.Random(self.seed)
        return sorted(chance.sample(range(1, self.needed), self.kills))


class Watched:
    """One process after another in a folder."""

    def __init__(self, folder: Path, soak: Soak) -> None:
        self.folder = folder
        self.soak = soak
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        plan = {"prompts": soak.prompts, "samples": soak.samples, "width": soak.width}
        (folder / "work.json").write_text(json.dumps(plan), encoding="utf-8")

    def start(self) -> subprocess.Popen[bytes]:
        """The process that samples and judges."""
        environment = {**os.environ, "TSO_WORK": str(self.folder / "work")}
        command = [sys.executable, "-m", "benchmarks.soak.vllm_work", str(self.folder)]
        with (self.folder / "log.txt").open("ab") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def received(self) -> list[str]:
        """Calls that reached a server, in order, probes left out."""
        path = self.folder / "calls.log"
        lines = path.read_text(encoding="utf-8").split() if path.exists() else []
        return [line for line in lines if line != "probe"]

    def kept(self) -> int:
        """Answers that are in a journal."""
        return sum(
            b'"choices"' in line
            for path in self.folder.glob("work/journals/**/*.jsonl")
            for line in path.read_bytes().splitlines()
        )

    def kill_at(self, moment: int) -> tuple[int, int] | None:
        """Start, and SIGKILL at `moment`: calls received and kept. None if all is done before."""
        process = self.start()
        came = wait(
            lambda: len(self.received()) >= moment,
            lambda: process.poll() is not None,
            LONGEST_SECONDS,
            pause=0.01,
        )
        if not came and process.returncode:
            raise RuntimeError(f"it fails by itself; see {self.folder}/log.txt")
        process.kill()
        process.wait()
        time.sleep(SETTLED_SECONDS)
        return (len(self.received()), self.kept()) if came else None


def soak(folder: Path, given: Soak) -> dict[str, Any]:
    """Work to the end with all kills; the accounts."""
    started = time.monotonic()
    watched = Watched(folder, given)
    struck = [hit for moment in given.moments() if (hit := watched.kill_at(moment)) is not None]
    if watched.start().wait():
        raise RuntimeError(f"it fails by itself; see {folder}/log.txt")
    accounts = counted(given, struck, watched.received())
    done = json.loads((folder / "done.json").read_text(encoding="utf-8"))
    return accounts | done | {"seconds": round(time.monotonic() - started, 1)}


def counted(given: Soak, struck: list[tuple[int, int]], received: list[str]) -> dict[str, Any]:
    """Where every call belongs: what was received and not kept at a kill was in flight there."""
    lost, before = [], 0
    for calls, kept in struck:
        lost.append(calls - kept - before)
        before += lost[-1]
    calls = Counter(received)
    return {
        "kills": len(struck),
        "calls_needed": given.needed,
        "calls_received": len(received),
        "different_calls": len(calls),
        "in_flight_at_kills": lost,
        "repeated": len(received) - len(calls),
        "too_many": len(received) - given.needed - before,
    }


def is_exact(result: dict[str, Any], width: int) -> bool:
    """Whether nothing was called that need not be."""
    lost = result["in_flight_at_kills"]
    return result["too_many"] == 0 and all(0 <= one <= width for one in lost)


def main() -> int:
    """Soak, write benchmarks/results/vllm_kills.json; 1 unless the accounts are exact."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=600)
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    given = Soak(**vars(parser.parse_args()))
    metrics = soak(Path("work/soak").absolute() / "vllm-kills", given)
    print(metrics, write_result("vllm_kills", metrics), sep="\n")
    return int(not is_exact(metrics, max(given.width, 32)))


if __name__ == "__main__":
    sys.exit(main())
