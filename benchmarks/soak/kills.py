"""`python -m benchmarks.soak.kills`: SIGKILL a run again and again; nothing is lost or redone.

An undisturbed run is measured first. Moments are then drawn uniformly over its duration (at least
one in each verb that takes long) and found again in the attacked run by the work that is begun:
so many items, and then so many seconds. After each kill the same command is started again.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import psutil

from benchmarks.measurement import write_result
from benchmarks.soak.watched import Item, WatchedRun, repeated, wait

HEAVY = ("sample", "judge", "score", "train")
TARGETS = ("flow", "child", "supervisor")
LONGEST_SECONDS = 6 * 3600.0
TICK_SECONDS = 0.02


@dataclass(frozen=True, kw_only=True)
class Kill:
    """One SIGKILL."""

    target: str
    """flow, child or supervisor."""
    moment: Callable[[WatchedRun], bool]
    """Asked again and again until it is true."""


@dataclass(frozen=True, kw_only=True)
class Struck:
    """What a kill met."""

    target: str
    verb: str
    committed: set[Item]
    """What was committed when it struck."""
    begun: int
    """Lines of the item log at that time."""


@dataclass(frozen=True, kw_only=True)
class Survived:
    """What came of an attacked run."""

    struck: list[Struck]
    restarts: int
    missed: int
    """Kills whose moment did not come before the run was complete."""
    redone: list[Item]
    """Items that were worked on although they had been committed."""


def survive(run: WatchedRun, kills: Sequence[Kill]) -> Survived:
    """Start the run, strike, and start it again, until it is complete.

    RuntimeError if it fails more often than it is killed.
    """
    waiting, struck, starts, code = list(kills), [], 0, None
    while code != 0:
        if starts > len(kills) + 3:
            raise RuntimeError(f"{run.command} fails by itself (exit code {code}); see {run.log}")
        process = run.start()
        starts += 1
        while waiting and process.poll() is None and _moment_comes(run, waiting[0], process):
            struck.append(_strike(run, waiting.pop(0), process))
        code = process.wait()
    items = run.read_items()
    redone = [one for hit in struck for one in repeated(items[hit.begun :], hit.committed)]
    return Survived(struck=struck, restarts=starts - 1, missed=len(waiting), redone=redone)


def _moment_comes(run: WatchedRun, kill: Kill, process: Popen[bytes]) -> bool:
    """Wait for the moment, and for a child where one is the target."""

    def ready() -> bool:
        return kill.moment(run) and (kill.target == "flow" or run.child() is not None)

    return wait(ready, lambda: process.poll() is not None, LONGEST_SECONDS)


def _strike(run: WatchedRun, kill: Kill, process: Popen[bytes]) -> Struck:
    child, verb = run.child(), run.verb()
    committed = run.committed()
    struck = Struck(target=kill.target, verb=verb, committed=committed, begun=len(run.read_items()))
    try:
        os.kill(_pid(kill.target, process.pid, child), signal.SIGKILL)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return struck  # it ended in the last few milliseconds: nothing to interrupt any more
    if kill.target == "flow":
        process.wait()
    return struck


def _pid(target: str, flow: int, child: tuple[str, int] | None) -> int:
    if target == "flow" or child is None:
        return flow
    return child[1] if target == "child" else psutil.Process(child[1]).ppid()


@dataclass(frozen=True, kw_only=True)
class Tick:
    """Where an undisturbed run was at one time."""

    seconds: float
    """Since its start."""
    verb: str
    items: int
    """Distinct items begun."""
    since: float
    """Seconds since the last of them was begun."""


class After:
    """The moment when as much is begun as at `tick`, and then `tick.since` seconds later.

    With `during`, the moment is when that verb is at it; if it is over already, at once.
    """

    def __init__(self, tick: Tick, during: str | None = None) -> None:
        self.tick = tick
        self.during = during
        self._since: float | None = None

    def __call__(self, run: WatchedRun) -> bool:
        begun = len(set(run.read_items()))
        if begun < self.tick.items:
            return False
        if self.during is not None:
            return begun > self.tick.items or run.verb() == self.during
        now = time.monotonic()
        self._since = self._since or now
        return now - self._since >= self.tick.since


def undisturbed(run: WatchedRun) -> list[Tick]:
    """Run to the end, looking at it all the time; RuntimeError if it fails."""
    ticks: list[Tick] = []
    started = last = time.monotonic()
    items = 0
    process = run.start()
    while process.poll() is None:
        now, begun = time.monotonic(), len(run.read_items())
        if begun > items:
            items, last = begun, now
        ticks.append(Tick(seconds=now - started, verb=run.verb(), items=items, since=now - last))
        time.sleep(TICK_SECONDS)
    if process.returncode:
        raise RuntimeError(f"the undisturbed run failed ({process.returncode}); see {run.log}")
    return ticks


def drawn(ticks: Sequence[Tick], count: int, seed: int) -> list[tuple[str, After]]:
    """`count` targets and moments in order of time; the first ones see to it that no verb lacks."""
    chance = random.Random(seed)
    kills = []
    for number in range(count):
        verb = HEAVY[number] if number < len(HEAVY) else None
        tick = chance.choice([tick for tick in ticks if verb in (None, tick.verb)] or list(ticks))
        target = chance.choice(TARGETS)
        # A rule for a judge answers in the flow's own process.
        target = "flow" if tick.verb in ("judge", "start") else target
        kills.append((target, After(tick, during=verb)))
    return sorted(kills, key=lambda kill: kill[1].tick.seconds)


def soak(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Both runs and what they have in common."""
    preset, settings = _preset(options.preset, folder)
    calm = WatchedRun(folder / "calm", preset, options.rounds, settings)
    ticks = undisturbed(calm)
    plan = drawn(ticks, options.kills, options.seed)
    hunted = WatchedRun(folder / "hunted", preset, options.rounds, settings)
    started = time.monotonic()
    outcome = survive(hunted, [Kill(target=target, moment=moment) for target, moment in plan])
    items = hunted.read_items()
    equal = calm.stage_manifests() == hunted.stage_manifests()
    return {
        "moments": [round(moment.tick.seconds, 1) for _, moment in plan],
        "struck": [f"{one.target} in {one.verb}" for one in outcome.struck],
        "targets": dict(Counter(one.target for one in outcome.struck)),
        "verbs": dict(Counter(one.verb for one in outcome.struck)),
        "restarts": outcome.restarts,
        "missed": outcome.missed,
        "items": len(set(items)),
        "repeated_items": len(items) - len(set(items)),
        "repeated_after_commit": len(outcome.redone),
        "equal_manifests": equal and calm.round_manifests() == hunted.round_manifests(),
        "processes_left": len(calm.processes_left()) + len(hunted.processes_left()),
        "seconds": {
            "undisturbed": round(ticks[-1].seconds, 1),
            "killed": round(time.monotonic() - started, 1),
        },
    }


def _preset(name: str, folder: Path) -> tuple[str, tuple[str, ...]]:
    """The preset and settings for the run; what it reads is made if it is missing."""
    if name == "small":
        from tests.small_run import LONGER, small_preset

        return str(small_preset(folder)), LONGER
    if name == "quickstart":
        from flows.quickstart.__main__ import FOLDER, prepare

        prepare(FOLDER)
    return name, ()


def main() -> int:
    """Soak, write benchmarks/results/kills.json; 1 if anything was lost, redone or left over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--preset", default="quickstart", help="small, or any preset")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    folder = Path("work/soak").absolute() / f"kills-{options.preset}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    metrics = soak(folder, options)
    print(metrics, write_result("kills", metrics), sep="\n")
    wrong = metrics["repeated_after_commit"] or metrics["processes_left"]
    return int(bool(wrong) or not metrics["equal_manifests"])


if __name__ == "__main__":
    sys.exit(main())
