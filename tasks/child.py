"""What a child process and its launcher agree on: files in WORKDIR, events and exit codes.

A child is `python -m MODULE WORKDIR`; its module ends with
`if __name__ == "__main__": child_main(work)()`, where `work(workdir, spec, reporter)` returns the
result. It reads `spec.json`, appends events to `progress.jsonl`, and writes `result.json` last;
stdout and stderr go to `log.txt`. The standard library is all this module needs.
"""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from tasks.errors import ConfigError, DataError

SPEC = "spec.json"
PROGRESS = "progress.jsonl"
RESULT = "result.json"
ERROR = "error.json"
LOG = "log.txt"
PID = "child.pid"

OK = 0
BAD_INPUT = 2
OUT_OF_MEMORY = 3
BUG = 4
STOPPED = 75

OUT_OF_MEMORY_SIGNS = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "cublas_status_alloc_failed",
    "std::bad_alloc",
)
"""What torch's RuntimeErrors say, in lower case, when host or device memory is used up."""


TOGETHER_SECONDS = 1.0
"""Signals to stop that come this close together are one request."""


class Stopped(BaseException):
    """SIGTERM came: unwind, close files, leave with exit code 75."""


class OutOfMemory(MemoryError):
    """The work does not fit in memory: the launcher may try again with less at once."""

    def __init__(self, message: str, **facts: int) -> None:
        super().__init__(message)
        self.facts = facts

    def __str__(self) -> str:
        named = ", ".join(f"{name} {value}" for name, value in self.facts.items())
        return f"{self.args[0]} (in flight: {named})" if named else str(self.args[0])


@contextmanager
def in_flight(**facts: int) -> Iterator[None]:
    """What is worked on in the block: if memory runs out there, OutOfMemory says so.

    Blocks may be nested; each adds its facts, which also stand in error.json.
    """
    try:
        yield
    except OutOfMemory as error:
        error.facts = {**facts, **error.facts}
        raise
    except Exception as error:
        if exit_code_of(error) != OUT_OF_MEMORY:
            raise
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise OutOfMemory(f"out of memory: {said[0]}", **facts) from error


class Reporter:
    """Appends events to WORKDIR/progress.jsonl; each line is also the heartbeat."""

    def __init__(self, workdir: Path) -> None:
        self._path = workdir / PROGRESS
        self._path.touch()
        self.stop_asked = False
        self._stops_anywhere = True

    def event(self, event: str, **fields: Any) -> None:
        """Append {"event": event, ...} as one line, visible to the launcher at once."""
        _append(self._path, json.dumps({"event": event, **fields}) + "\n")
        if self._stops_anywhere:
            self.check_stopped()

    def beat(self) -> None:
        """Say that work goes on without an event: renews the heartbeat."""
        os.utime(self._path)
        if self._stops_anywhere:
            self.check_stopped()

    def check_stopped(self) -> None:
        """Raise Stopped if SIGTERM came: postponed, or its exception lost, e.g. in a destructor."""
        if self.stop_asked:
            raise Stopped

    def stop_on_sigterm(self) -> None:
        """Raise Stopped in the main thread at SIGTERM, once: the unwinding is not interrupted."""

        def handle(signum: int, frame: FrameType | None) -> None:
            if not self.stop_asked:
                self.stop_asked = True
                raise Stopped

        signal.signal(signal.SIGTERM, handle)

    @contextmanager
    def stopping_at_checkpoints(self, seconds: float) -> Iterator[None]:
        """Within the block SIGTERM sets `stop_asked`, and only `check_stopped` raises Stopped.

        The work has `seconds` to get there; after them, or at a later SIGTERM, the kernel ends the
        process at once. Signals that come together, as from a service manager, are one request.
        """
        asked_at = 0.0

        def handle(signum: int, frame: FrameType | None) -> None:
            nonlocal asked_at
            if not self.stop_asked:
                self.stop_asked, asked_at = True, time.monotonic()
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.setitimer(signal.ITIMER_REAL, seconds)
            elif time.monotonic() - asked_at > TOGETHER_SECONDS:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                os.kill(os.getpid(), signal.SIGTERM)

        former = signal.signal(signal.SIGTERM, handle)
        self._stops_anywhere = False
        try:
            yield
            self.check_stopped()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self._stops_anywhere = True
            signal.signal(signal.SIGTERM, former)


def _append(path: str | Path, text: str) -> None:
    """Add `text` to the file in one write, so that lines of several processes do not mix."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


class ItemLog:
    """Appends one line per item before it is worked on, so that repeated work can be seen.

    `path` None logs nothing. Lines are {"stage", "item", "pid"}.
    """

    def __init__(self, path: str | Path | None, stage: str) -> None:
        self._path = path
        self._stage = stage

    def starting(self, items: Iterable[str]) -> None:
        """Log `items` in one write: call it per batch, before the batch."""
        if self._path is None:
            return
        line = {"stage": self._stage, "pid": os.getpid()}
        _append(self._path, "".join(json.dumps({**line, "item": item}) + "\n" for item in items))


def read_spec(workdir: Path) -> dict[str, Any]:
    """The settings in WORKDIR/spec.json; DataError if they are not there or not an object."""
    path = workdir / SPEC
    try:
        spec = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path}: {error}; the launcher must write it first") from error
    if not isinstance(spec, dict):
        raise DataError(f"{path} holds a {type(spec).__name__}, needs a JSON object")
    return spec


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` as a whole or not at all (temporary file, then rename)."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


def finish(workdir: Path, result: Mapping[str, Any]) -> None:
    """Write WORKDIR/result.json, the last thing a child does."""
    write_json(workdir / RESULT, dict(result))


Work = Callable[[Path, dict[str, Any], Reporter], Mapping[str, Any]]


def child_main(work: Work) -> Callable[[], None]:
    """The main function of a child that does `work`; it ends the process with an exit code."""

    def main() -> None:
        if len(sys.argv) != 2:
            sys.stderr.write(f"usage: python -m MODULE WORKDIR (got {sys.argv[1:]})\n")
            sys.exit(BAD_INPUT)
        sys.exit(run(work, Path(sys.argv[1])))

    return main


def run(work: Work, workdir: Path) -> int:
    """Do `work` in `workdir` and return the exit code; what went wrong goes to error.json."""
    started = time.monotonic()
    try:
        reporter = Reporter(workdir)
        reporter.stop_on_sigterm()
        finish(workdir, work(workdir, read_spec(workdir), reporter))
        return OK
    except BaseException as error:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _log_failure(error)
        code = exit_code_of(error)
        _write_error(workdir, error, code, time.monotonic() - started)
        return code


def exit_code_of(error: BaseException) -> int:
    """The exit code that tells the launcher what kind of failure `error` is."""
    if isinstance(error, (Stopped, KeyboardInterrupt)):
        return STOPPED
    if isinstance(error, (ConfigError, DataError)):
        return BAD_INPUT
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return OUT_OF_MEMORY
    text = str(error).lower()
    if isinstance(error, RuntimeError) and any(sign in text for sign in OUT_OF_MEMORY_SIGNS):
        return OUT_OF_MEMORY
    return BUG


def _log_failure(error: BaseException) -> None:
    if isinstance(error, Stopped):
        sys.stderr.write("stopped by SIGTERM\n")
    elif isinstance(error, (ConfigError, DataError)):
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    else:
        traceback.print_exception(error)
    sys.stderr.flush()


def _write_error(workdir: Path, error: BaseException, code: int, seconds: float) -> None:
    report = {"type": type(error).__name__, "message": str(error), "exit_code": code}
    if isinstance(error, OutOfMemory):
        report |= {"in_flight": error.facts}
    try:
        write_json(workdir / ERROR, {**report, "seconds": round(seconds, 1)})
    except OSError as problem:
        sys.stderr.write(f"cannot write {workdir / ERROR}: {problem}\n")
