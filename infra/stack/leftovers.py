"""Processes of a stack that nobody supervises: found by what they inherited, not by a number.

A pid may have been given to another process; a variable in a process's environment was put there
by us or by who started it for us.
"""

import contextlib
import signal
from pathlib import Path

import psutil

from infra.stack.parts import MARK, PART_MARK

GRACE_SECONDS = 30.0
KILLED_SECONDS = 10.0


def processes_of(folder: Path, *parts: str) -> list[psutil.Process]:
    """Processes that carry the mark of the stack in `folder`, of `parts` or of all."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            marks = process.environ()
            if marks.get(MARK) == str(folder) and (not parts or marks.get(PART_MARK) in parts):
                found.append(process)
    return found


def end(folder: Path, *parts: str) -> list[str]:
    """End what is left of `parts` or of all, as gently as it goes; what it was called."""
    processes = processes_of(folder, *parts)
    names = sorted({_name(one) for one in processes})
    number = signal.SIGINT if parts == ("database",) else signal.SIGTERM
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)
    _, left = psutil.wait_procs(processes, timeout=GRACE_SECONDS)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=KILLED_SECONDS)
    return names


def _name(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return str(process.name())
    return "?"
