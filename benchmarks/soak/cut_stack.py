"""The workers of a live stack on two machines: one behind a link that can be cut, the rest here.

Each machine has its own folder for local work. A second worker of the pool stands by on this one.
"""

import re
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
from prefect.client.schemas.objects import FlowRun

from benchmarks.soak.cut_network import HOST, CutNetwork
from benchmarks.soak.stack_run import WORKERS, StackRun, asked, command_line, items_in
from benchmarks.soak.watched import Item
from infra.checkpoint_uploads import DONE
from infra.stack.leftovers import processes_of
from infra.stack.parts import PART_MARK, Part, parts_of
from infra.stack.settings import StackSettings, environment_text, write_private
from infra.stack.state import answers
from infra.stack.supervision import STAYS, Supervision
from infra.storage import open_store

CUT, HERE = "cut", "here"
"""The two machines, and their folders."""
STANDBY = "worker-standby"
CHECKPOINT = re.compile(
    r"stages/train/../(?P<stage>\w+)/checkpoints/step-(?P<step>\d+)/" + re.escape(DONE)
)
POLL_SECONDS = 0.5


def work_of(settings: StackSettings, machine: str) -> Path:
    """A machine's folder for local work."""
    return settings.folder.parent / machine


class CutStack:
    """The stack of `settings` with the worker of `pool` in `network`."""

    def __init__(self, settings: StackSettings, network: CutNetwork, pool: str) -> None:
        self._settings = settings
        self._network = network
        self._pool = pool
        self._supervision = Supervision(settings)

    def furnish(self) -> None:
        """Start workers that are not where they should be; the standby is known, but stopped."""
        parts = [self._placed(part) for part in parts_of(self._settings)]
        self._supervision.configure([*parts, self._standby()])
        self._supervision.update([*parts, self._standby()])
        self._supervision.stop(STANDBY)
        for part in parts:
            self._supervision.run(part.name)
        for part in parts:
            self._wait(part)

    def start_standby(self) -> None:
        """Start the second worker of the pool."""
        self._supervision.run(STANDBY)

    def worker_starts(self) -> int:
        """How often the supervisor has started the cut-off worker since it was furnished."""
        log = self._settings.logs / "supervisord.log"
        return log.read_text(encoding="utf-8").count(f"spawned: 'worker-{self._pool}'")

    def _placed(self, part: Part) -> Part:
        if part.name not in WORKERS:
            return part
        return self._cut_off(part) if part.name == f"worker-{self._pool}" else self._here(part)

    def _here(self, part: Part) -> Part:
        return replace(
            part, environment={**part.environment, "TSO_WORK": str(work_of(self._settings, HERE))}
        )

    def _cut_off(self, part: Part) -> Part:
        """The worker in the namespace, with the addresses that it sees."""
        own = {
            "TSO_WORK": str(work_of(self._settings, CUT)),
            "PREFECT_API_URL": f"http://{HOST}:{self._settings.port_of('prefect')}/api",
        }
        seen = self._settings.folder / "cut-off.env"
        address = f"http://{HOST}:{self._settings.port_of('s3')}"
        write_private(seen, environment_text({"AWS_ENDPOINT_URL": address}))
        return replace(
            part,
            command=self._network.command(part.command),
            environment={**part.environment, **own},
            environment_files=(*part.environment_files, str(seen)),
        )

    def _standby(self) -> Part:
        part = next(p for p in parts_of(self._settings) if p.name == f"worker-{self._pool}")
        name = f"stack-{self._pool}"
        command = tuple("standby" if word == name else word for word in part.command)
        environment = {**self._here(part).environment, PART_MARK: STANDBY}
        log = str(self._settings.logs / f"{STANDBY}.log")
        return replace(part, name=STANDBY, command=command, environment=environment, log=log)

    def _wait(self, part: Part) -> None:
        end = time.monotonic() + part.ready_seconds
        while time.monotonic() < end:
            seen = self._supervision.state(part.name)
            if seen["statename"] in STAYS and answers(part, seen["start"]):
                return
            time.sleep(POLL_SECONDS)
        raise RuntimeError(f"{part.name} is not ready; its log is {part.log}")


class CutRun(StackRun):
    """A run whose workers are on two machines, in a store of its own."""

    def __init__(self, settings: StackSettings, root: str) -> None:
        super().__init__(settings)
        self.store = open_store(root)
        for one in (CUT, HERE):  # the run before did the same work, for another store
            shutil.rmtree(work_of(settings, one), ignore_errors=True)
        self._before = {one.id for one in _flow_runs()}

    def begun(self) -> dict[str, list[Item]]:
        """Everything that was begun so far on each machine, in order."""
        folders = {machine: work_of(self.settings, machine) for machine in (CUT, HERE)}
        return {machine: items_in(one / "items.jsonl") for machine, one in folders.items()}

    def items(self) -> list[Item]:
        """Everything that was begun so far, on both machines."""
        return [one for items in self.begun().values() for one in items]

    def committed(self) -> set[Item]:
        """As in a run of one machine, and the steps before the last checkpoint in the store."""
        steps = self.checkpoints()
        return super().committed() | {
            (stage, f"step-{step}") for stage, last in steps for step in range(1, last + 1)
        }

    def checkpoints(self) -> list[tuple[str, int]]:
        """Stage and step of each checkpoint that is whole in the store."""
        found = map(CHECKPOINT.fullmatch, self.store.list("stages"))
        return [(one["stage"], int(one["step"])) for one in found if one]

    def flow_runs(self) -> list[FlowRun]:
        """The flow run and those of its stages, the oldest first."""
        return [one for one in _flow_runs() if one.id not in self._before]

    def histories(self) -> list[tuple[FlowRun, list[str]]]:
        """Each of them, with the names of the states that it went through."""
        return [(one, self.states_of(one.id)) for one in self.flow_runs()]

    def states_of(self, known: UUID) -> list[str]:
        """Names of the states that a flow run went through."""
        return [one.name for one in asked(lambda client: client.read_flow_run_states(known))]

    def at_work(self, worker: str) -> dict[psutil.Process, str]:
        """Processes that `worker` started, directly or not, and their command lines."""
        found = processes_of(self.settings.folder, worker)
        lines = {one: command_line(one) for one in found}
        return {one: line for one, line in lines.items() if "worker start" not in line}


def _flow_runs() -> list[FlowRun]:
    """All that somebody asked for; those of schedules have not begun."""

    def listed(client: Any) -> list[FlowRun]:
        return [one for one in client.read_flow_runs(limit=200) if not one.auto_scheduled]

    return sorted(asked(listed), key=lambda one: str(one.created))
