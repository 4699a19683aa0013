"""`python -m benchmarks.soak.flaky_server`: sample behind a bad server, be killed, count calls.

A server in its own process fails in a seeded share of the calls and writes down each one that
reaches it. The process that samples is killed with SIGKILL and started again. What reached the
server must be what was needed, what failed, and what was in flight at the kills: nothing else.
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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measurement import write_result
from benchmarks.soak.watched import wait

LONGEST_SECONDS = 1800.0
SETTLED_SECONDS = 1.5
"""A server that received nothing for so long after a kill receives nothing more."""
CONCURRENCY = 16
SPARE_STARTS = 3
"""Starts beyond the kills: a call may fail more often than it is tried."""


@dataclass(frozen=True, kw_only=True)
class Soak:
    """What is done to whom."""

    prompts: int
    fail: float
    """Share of the calls that fail."""
    kills: int
    seed: int
    timeout_seconds: float = 3.0
    """After which the client gives an answer up."""

    def moments(self) -> list[int]:
        """How many calls the server has received when each kill strikes."""
        chance = random.Random(self.seed)
        each = self.prompts / (1 - self.fail) / (self.kills + 1)
        return [round(each * (kill + chance.uniform(0.8, 1.2))) for kill in range(self.kills)]


@dataclass(frozen=True, kw_only=True)
class Struck:
    """What a kill met."""

    received: int
    """Calls that the server had received."""
    answered: set[str]
    """Calls whose answer was journalled."""


class Watched:
    """One sampling stage, its server's log and its journal."""

    def __init__(self, folder: Path, soak: Soak) -> None:
        self.folder = folder
        self.soak = soak
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    @contextmanager
    def endpoint(self) -> Iterator[str]:
        """The server in its own process."""
        plan = {
            "seed": self.soak.seed,
            "share": self.soak.fail,
            "timeout_seconds": 1.5 * self.soak.timeout_seconds,
            "seconds": 0.05,
        }
        (self.folder / "endpoint.json").write_text(json.dumps(plan), encoding="utf-8")
        process = self._python("tests.infra.flaky_endpoint")
        try:
            url = self.folder / "url"
            if not wait(url.exists, lambda: process.poll() is not None, 120):
                raise RuntimeError(f"the server did not start; see {self.folder}/log.txt")
            yield url.read_text(encoding="utf-8")
        finally:
            process.kill()
            process.wait()

    def sampling(self, url: str) -> subprocess.Popen[bytes]:
        """The process that samples."""
        engine = {
            "model": "org/flaky",
            "base_url": url,
            "concurrency": CONCURRENCY,
            "timeout_seconds": self.soak.timeout_seconds,
            "price": [0.15, 0.6],
        }
        spec = {"prompts": self.soak.prompts, "samples": 1, "seed": 1, "engine": engine}
        (self.folder / "sampling.json").write_text(json.dumps(spec), encoding="utf-8")
        return self._python("benchmarks.soak.sampling")

    def _python(self, module: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "TSO_WORK": str(self.folder / "work")}
        command = [sys.executable, "-m", module, str(self.folder)]
        with (self.folder / "log.txt").open("ab") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def received(self) -> list[dict[str, str]]:
        """Every call that reached the server, in order, with what the plan made of it."""
        return _lines(self.folder / "received.jsonl")

    def answered(self) -> set[str]:
        """The calls in the journal: each answer begins with the server's name for its call."""
        entries = [
            line["reply"]
            for path in self.folder.glob("work/journals/*/sample/*.jsonl")
            for line in _lines(path)
            if "reply" in line
        ]
        texts = [entry["choices"][0]["text"] for entry in entries if "choices" in entry]
        return {text.split(" ")[0] for text in texts}

    def kill_at(self, moment: int, process: subprocess.Popen[bytes]) -> Struck:
        """SIGKILL `process` when the server has received so many calls; RuntimeError if it ends."""
        ended = not wait(
            lambda: len(self.received()) >= moment,
            lambda: process.poll() is not None,
            LONGEST_SECONDS,
            pause=0.02,
        )
        if ended:
            raise RuntimeError(
                f"the process ended before {moment} calls; see {self.folder}/log.txt"
            )
        process.kill()
        process.wait()
        return Struck(received=self._settled(), answered=self.answered())

    def _settled(self) -> int:
        count = -1
        while count != (now := len(self.received())):
            count = now
            time.sleep(SETTLED_SECONDS)
        return count

    def finish(self, url: str) -> int:
        """Start until it is done; how many starts that took. RuntimeError if it never is."""
        for starts in range(1, 1 + SPARE_STARTS):
            if self.sampling(url).wait() == 0:
                return starts
        raise RuntimeError(f"sampling fails by itself; see {self.folder}/log.txt")


def _lines(path: Path) -> list[Any]:
    """The whole lines of a file that may be growing, or whose last line a death cut short."""
    if not path.exists():
        return []
    data = path.read_bytes()
    found = []
    for line in data[: data.rfind(b"\n") + 1].splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def in_flight(received: list[dict[str, str]], struck: list[Struck]) -> list[Counter[str]]:
    """For each kill, the answers that the server gave since the kill before and nobody kept."""
    starts = [0, *(hit.received for hit in struck)]
    return [
        Counter(
            one["call"]
            for one in received[start : hit.received]
            if one["outcome"] == "ok" and one["call"] not in hit.answered
        )
        for start, hit in zip(starts, struck, strict=False)
    ]


def accounts(watched: Watched, struck: list[Struck], starts: int) -> dict[str, Any]:
    """Where every call that reached the server belongs."""
    received, needed = watched.received(), watched.soak.prompts
    failed = Counter(one["outcome"] for one in received if one["outcome"] != "ok")
    answers = Counter(one["call"] for one in received if one["outcome"] == "ok")
    lost = in_flight(received, struck)
    repeated = answers - Counter(list(answers))
    done = json.loads((watched.folder / "done.json").read_text(encoding="utf-8"))
    again = [one["call"] for hit in struck for one in received[hit.received :]
             if one["call"] in hit.answered]  # fmt: skip
    in_flight_calls = sum(counter.total() for counter in lost)
    return {
        "calls_needed": needed,
        "calls_received": len(received),
        "failed": dict(sorted(failed.items())),
        "in_flight_at_kills": [counter.total() for counter in lost],
        "repeated": repeated.total(),
        "repeated_without_need": (repeated - sum(lost, Counter())).total(),
        "paid_again": len(again),
        "unaccounted": len(received) - needed - failed.total() - in_flight_calls,
        "responses": done["counts"]["responses"],
        "usage": done["usage"],
        "starts": len(struck) + starts,
    }


def soak(folder: Path, given: Soak) -> dict[str, Any]:
    """Sample to the end with all kills; the accounts."""
    started = time.monotonic()
    watched = Watched(folder, given)
    with watched.endpoint() as url:
        struck = [watched.kill_at(moment, watched.sampling(url)) for moment in given.moments()]
        starts = watched.finish(url)
        result = accounts(watched, struck, starts)
    return {**result, "seconds": round(time.monotonic() - started, 1)}


def is_exact(result: dict[str, Any]) -> bool:
    """Whether every call is accounted for, and none was made twice that need not be."""
    wrong = ("unaccounted", "repeated_without_need", "paid_again")
    whole = result["calls_needed"] == result["responses"] == result["usage"]["calls"]
    return whole and not any(result[name] for name in wrong)


def main() -> int:
    """Soak, write benchmarks/results/flaky_server.json; 1 unless the accounts are exact."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=2000)
    parser.add_argument("--fail", type=float, default=0.2)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    given = Soak(**vars(parser.parse_args()))
    metrics = soak(Path("work/soak").absolute() / "flaky-server", given)
    print(metrics, write_result("flaky_server", metrics), sep="\n")
    return int(not is_exact(metrics))


if __name__ == "__main__":
    sys.exit(main())
