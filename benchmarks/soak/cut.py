"""One run on the live stack with one cut, and what was seen."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import psutil

from benchmarks.soak.cut_network import CutNetwork
from benchmarks.soak.cut_stack import CutRun, CutStack
from benchmarks.soak.stack_kills import ENDED, FINAL_SECONDS
from benchmarks.soak.stack_run import ENGINE
from benchmarks.soak.watched import Item, repeated

COMPLETE = ("Completed", "PoolExhausted")
STAGE, FLOW = "gpu-training", "cpu"
"""The pool of the training, and that of the flow that waits for it."""
AFTER_SECONDS = 30.0
"""The link stays down for so long after what it waits for."""
LONGEST_SECONDS = 3600.0
LEFT_SECONDS = 600.0
"""A cut-off attempt gets so long to find out that nobody waits for it any more."""
POLL_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Case:
    """One run with one cut."""

    pool: str
    """Whose worker is behind the link."""
    cut: Literal["none", "short", "long"]
    """A long one lasts until the flow run on that worker is taken for dead."""
    elsewhere: bool = False
    """Whether a second worker of the pool starts when the link goes down."""

    @property
    def name(self) -> str:
        """As in the result and in the store, e.g. `stage-long-elsewhere`."""
        words = ("stage" if self.pool == STAGE else "flow", self.cut)
        return "-".join((*words, "elsewhere") if self.elsewhere else words)


class Cut:
    """One cut in one run, and what was seen."""

    def __init__(self, case: Case, stack: CutStack, run: CutRun, network: CutNetwork) -> None:
        self.case = case
        self.stack = stack
        self.run = run
        self.network = network
        self.retries = 0
        """How often somebody had to press Retry."""
        self.seconds: dict[str, float] = {}
        self.seen: dict[str, tuple[dict[str, int], set[Item]]] = {}
        """Lines of each item log and what was committed, when the link went down and came up."""
        self._starts = stack.worker_starts()
        self._last = 0.0
        self._ended_since: float | None = None

    def through(self, short: float, silence: float) -> None:
        """Wait for the moment, cut, mend, and wait for the end of the run."""
        victims: list[psutil.Process] = []
        self._passed("triggered")
        if self.case.cut != "none":
            self._until(lambda: bool(self.run.checkpoints()))
            victims = self._cut(short, silence)
        self._until(self._is_complete)
        self._passed("complete")
        self._until(lambda: not any(one.is_running() for one in victims), LEFT_SECONDS)
        self._passed("cut-off attempt gone")

    def _cut(self, short: float, silence: float) -> list[psutil.Process]:
        """Take the link down and up again; the processes of flow runs that were cut off."""
        victims = self._attempts()
        self._note("down")
        self.network.cut()
        if self.case.cut == "long":
            self._taken_for_dead(next(iter(victims.values())), silence)
        else:
            time.sleep(short)
        self.network.mend()
        self._note("up")
        return list(victims)

    def _attempts(self) -> dict[psutil.Process, UUID]:
        """Processes of flow runs on the worker that is to be cut off."""
        found = self.run.at_work(f"worker-{self.case.pool}")
        engines = [one for one, line in found.items() if ENGINE.search(line)]
        return {one: UUID(one.environ()["PREFECT__FLOW_RUN_ID"]) for one in engines}

    def _taken_for_dead(self, known: UUID, silence: float) -> None:
        if self.case.elsewhere:
            self.stack.start_standby()
        self._until(lambda: "Crashed" in self.run.states_of(known), seconds=4 * silence)
        self._passed("taken for dead")
        if self.case.elsewhere:
            self._until(lambda: self._is_done_again(known), seconds=4 * silence)
            self._passed("begun elsewhere")
        time.sleep(AFTER_SECONDS)

    def _is_done_again(self, known: UUID) -> bool:
        """Whether the flow run, or another one for the same stage, is under way."""
        all_of_them = self.run.flow_runs()
        names = {one.name for one in all_of_them if one.id == known}
        return any(one.state_name == "Running" for one in all_of_them if one.name in names)

    def _until(self, ready: Callable[[], bool], seconds: float = LONGEST_SECONDS) -> None:
        end = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > end:
                raise RuntimeError(f"{self.case.name}: waited {seconds:.0f} s; see the logs")
            time.sleep(POLL_SECONDS)

    def _is_complete(self) -> bool:
        """Whether the run is; one that has ended otherwise, and that nobody retries, is retried."""
        state, now = self.run.state(), time.monotonic()
        self._ended_since = (self._ended_since or now) if state in ENDED else None
        if state in COMPLETE:
            return True
        if self._ended_since and now - self._ended_since > FINAL_SECONDS:
            self.run.retry()
            self.retries += 1
            self._ended_since = None
        return False

    def _note(self, moment: str) -> None:
        begun = {machine: len(items) for machine, items in self.run.begun().items()}
        self.seen[moment] = (begun, self.run.committed())
        self._passed(moment)

    def _passed(self, moment: str) -> None:
        """Note how long it took since the moment before."""
        now = time.monotonic()
        self.seconds[moment] = round(now - self._last, 1) if self._last else 0.0
        self._last = now
        print(f"{self.case.name}: {moment} after {self.seconds[moment]:.1f} s", flush=True)

    def redone(self, moment: str) -> int:
        """Items that were begun after `moment` though they had been committed before it."""
        lines, done = self.seen[moment]
        begun = self.run.begun().items()
        late = [repeated(items[lines[machine] :], done) for machine, items in begun]
        return len({one for items in late for one in items})

    def worker_restarts(self) -> int:
        """How often the worker behind the link ended and was started again."""
        return self.stack.worker_starts() - self._starts
