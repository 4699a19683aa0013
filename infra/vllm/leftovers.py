"""What a server may leave behind when it is killed: processes, shared memory, memory of GPUs."""

import json
import logging
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from infra.vllm.machine import gpu_memory
from infra.work import work_root
from tasks import child

SHARED = Path("/dev/shm")
SEGMENT = f"{SHARED}/psm_"
"""How Python names shared memory; vLLM's engine hands 160 MiB of it to its workers."""
GPU_SECONDS = 30.0
"""Time the driver gets to hand memory of a dead process back."""
GPU_SLACK_BYTES = 512 << 20
"""A GPU is as before when it has at most this much more in use (others work there, too)."""

_log = logging.getLogger(__name__)


class Leftovers:
    """What the server that is about to start in `workdir` may leave on this machine."""

    def __init__(self, workdir: Path, gpus: Sequence[str]) -> None:
        self._pid = workdir / child.PID
        self._gpus = gpus
        self._before = gpu_memory()
        self._note = _notes() / f"{uuid.uuid4().hex}.json"

    def note(self) -> None:
        """Write down which shared memory the running server has."""
        group = self.group()
        facts = {"group": group, "segments": sorted(_segments(group))}
        if facts["segments"]:
            self._note.parent.mkdir(parents=True, exist_ok=True)
            self._note.write_text(json.dumps(facts), encoding="utf-8")

    def group(self) -> int:
        """The process group of the server; 0 if it never began."""
        try:
            return int(self._pid.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0

    def clear(self) -> None:
        """Take away what is left, and see that memory is back where it was."""
        for process in _members(self.group()):
            _log.warning("a stopped server left process %d (%s)", process.pid, process.name())
            process.kill()
        _clear(self._note)
        self._wait_for_gpus()

    def _wait_for_gpus(self) -> None:
        """Warn if a GPU's memory does not come back."""
        deadline = time.monotonic() + GPU_SECONDS
        while above := self._above():
            if time.monotonic() > deadline:
                _log.warning(
                    "after the server stopped, GPUs hold more than before: %s (bytes); the next "
                    "server may not fit",
                    above,
                )
                return
            time.sleep(1)

    def _above(self) -> dict[str, int]:
        now = gpu_memory() if self._before else {}
        return {
            gpu: used - self._before[gpu]
            for gpu, used in now.items()
            if gpu in self._gpus and used > self._before.get(gpu, used) + GPU_SLACK_BYTES
        }


def clear_earlier() -> None:
    """Take away what servers of killed processes left: those whose group is gone."""
    for note in _notes().glob("*.json"):
        try:
            group = json.loads(note.read_text(encoding="utf-8"))["group"]
        except (OSError, ValueError, KeyError):
            continue
        if not any(_members(group)):
            _clear(note)


def _notes() -> Path:
    return work_root() / "servers"


def _clear(note: Path) -> None:
    """Remove the shared memory that `note` names, then the note."""
    try:
        segments = json.loads(note.read_text(encoding="utf-8"))["segments"]
    except (OSError, ValueError, KeyError):
        return
    for segment in segments:
        if segment.startswith(SEGMENT):
            Path(segment).unlink(missing_ok=True)
    note.unlink(missing_ok=True)


def _members(group: int) -> Iterator[psutil.Process]:
    """Processes of the group that still run."""
    for process in psutil.process_iter() if group else ():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except (OSError, psutil.Error):
            continue


def _segments(group: int) -> set[str]:
    """The shared memory that members of the group have mapped."""
    found: set[str] = set()
    for process in _members(group):
        try:
            maps = Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8").split("\n")
        except OSError:
            continue
        paths = (line.rpartition(" ")[2] for line in maps)
        found |= {path for path in paths if path.startswith(SEGMENT)}
    return found
