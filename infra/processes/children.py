"""Children that follow the protocol of `tasks/child.py`: start, follow, limit, and read them."""

import json
import os
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import infra
from infra.processes.supervised import GRACE_SECONDS, Supervised
from tasks import child
from tasks.errors import ChildError

INTERPRETER = [sys.executable]
"""Of children that need no environment of their own."""
POLL_SECONDS = 0.05
DEADLINE = 124
"""Exit code of a ChildError for a child that ran past its deadline."""
STALLED = 125
"""Exit code of a ChildError for a child without a sign of life for too long."""
KILLED = 137
TERMINATED = 143
TIMED_OUT = 142
"""Ended by its own alarm: it did not come to a place to stop at in time."""

MEANINGS = {
    child.BAD_INPUT: "its input is wrong; trying again does not help",
    child.OUT_OF_MEMORY: "out of memory; a smaller batch may fit",
    child.BUG: "an error in the program",
    child.STOPPED: "stopped by SIGTERM",
    KILLED: "killed by SIGKILL; nobody here sent it (a person, or a memory limit)",
    139: "segmentation fault",
}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a child may take, and which interpreter runs it."""

    deadline_seconds: float = 86_400.0
    """It is stopped when it runs longer; infinity for no deadline."""
    stalled_seconds: float = 1_800.0
    """It is stopped after this long without an event; loading a model counts as well."""
    interpreter: str | None = None
    """Python executable of another environment; None for the one that runs now."""
    grace_seconds: float = GRACE_SECONDS
    """Time between SIGTERM and SIGKILL when it is stopped."""


def run_child(
    module: str,
    workdir: Path,
    *,
    limits: Limits,
    on_event: Callable[[dict[str, Any]], None],
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run `python -m module workdir` to its end and return its result.json.

    `on_event` gets every event of this attempt, in order, in the calling thread; what it raises
    stops the child. Raises ChildError: what failed, the exit code's meaning, the log's last lines.
    """
    events = child_events(module, workdir, limits=limits, environment=environment)
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            result: dict[str, Any] = end.value
            return result
        try:
            on_event(event)
        except BaseException:
            events.close()  # now, not when the traceback is let go
            raise


def child_events(
    module: str,
    workdir: Path,
    *,
    limits: Limits,
    environment: Mapping[str, str] | None = None,
) -> Generator[dict[str, Any], None, dict[str, Any]]:
    """Run a child and yield its events as they come; closing the generator stops it.

    The generator's return value is the child's result.json.
    """
    interpreter = INTERPRETER if limits.interpreter is None else [limits.interpreter]
    command = [*interpreter, "-P", "-m", module, str(workdir.resolve())]
    supervised = Supervised(
        command,
        workdir,
        environment={**_environment(limits), **(environment or {})},
        grace_seconds=limits.grace_seconds,
    )
    failures = _out_of_memory_kills()
    with supervised as process:
        yield from _followed(module, process, limits)
        code = process.stop()
    if code != child.OK:
        raise _failure(module, process, _mapped(code, failures))
    return _result(module, process)


def _environment(limits: Limits) -> dict[str, str]:
    """Our packages first on the path of our own interpreter; another one brings its own."""
    if limits.interpreter is not None:
        return {"PYTHONUNBUFFERED": "1"}
    root = str(Path(infra.__file__).parent.parent)
    path = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONUNBUFFERED": "1", "PYTHONPATH": os.pathsep.join(path)}


def _followed(module: str, process: Supervised, limits: Limits) -> Iterator[dict[str, Any]]:
    """Events of `process` until it has exited; ChildError if it breaks a limit."""
    progress = process.workdir / child.PROGRESS
    started = alive = time.monotonic()
    seen: tuple[int, int] = (0, 0)
    with progress.open("rb") as lines:
        while True:
            code = process.exit_code()  # first: what it wrote before its exit is read below
            yield from _complete_lines(module, process, lines)
            if code is not None:
                return
            state = progress.stat()
            now = time.monotonic()
            if seen != (state.st_mtime_ns, state.st_size):
                seen, alive = (state.st_mtime_ns, state.st_size), now
            _check_limits(module, process, limits, (now - started, now - alive))
            time.sleep(POLL_SECONDS)


def _complete_lines(module: str, process: Supervised, lines: Any) -> Iterator[dict[str, Any]]:
    while True:
        start = lines.tell()
        line = lines.readline()
        if not line.endswith(b"\n"):
            lines.seek(start)
            return
        try:
            event = json.loads(line)
        except ValueError:
            message = f"{module} wrote an event that is not JSON: {line[:200]!r}"
            raise ChildError(message, child.BUG) from None
        yield event


def _check_limits(
    module: str, process: Supervised, limits: Limits, seconds: tuple[float, float]
) -> None:
    running, silent = seconds
    if running > limits.deadline_seconds:
        _stop_for(module, process, DEADLINE, "deadline_seconds", limits.deadline_seconds)
    if silent > limits.stalled_seconds:
        _stop_for(module, process, STALLED, "stalled_seconds", limits.stalled_seconds)


def _stop_for(module: str, process: Supervised, code: int, name: str, limit: float) -> None:
    process.stop()
    what = "ran longer than its deadline" if code == DEADLINE else "gave no sign of life for"
    raise ChildError(
        f"{module} {what} ({name}={limit:g}) and was stopped; "
        f"raise {name} if the work needs it. {_log(process)}",
        code,
    )


def _mapped(code: int, failures: int) -> int:
    """The exit code as the protocol names it; `failures` counts memory kills before the start."""
    if code == KILLED and _out_of_memory_kills() > failures:
        return child.OUT_OF_MEMORY
    return child.STOPPED if code in (TERMINATED, TIMED_OUT) else code


def _out_of_memory_kills() -> int:
    """Processes that the kernel's out-of-memory killer ended since boot; 0 if it does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def _failure(module: str, process: Supervised, code: int) -> ChildError:
    meaning = MEANINGS.get(code, "its supervisor was killed" if code < 0 else "unknown exit code")
    said = _error_message(process)
    return ChildError(
        f"{module} failed with exit code {code} ({meaning}){said}. {_log(process)}", code
    )


def _error_message(process: Supervised) -> str:
    path = process.workdir / child.ERROR
    if not path.exists():
        return ""
    error = json.loads(path.read_text(encoding="utf-8"))
    return f": {error['type']}: {error['message']}"


def _log(process: Supervised) -> str:
    tail = process.log_tail() or "(nothing)"
    return f"Log: {process.workdir / child.LOG}, last lines:\n{tail}"


def _result(module: str, process: Supervised) -> dict[str, Any]:
    path = process.workdir / child.RESULT
    try:
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        message = f"{module} exited with 0 but wrote no {path}. {_log(process)}"
        raise ChildError(message, child.BUG) from None
    return result
