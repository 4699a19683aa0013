"""What a child process and its launcher agree on: files in WORKDIR, events and exit codes.

A child is `python -m MODULE WORKDIR`; its module ends with
`if __name__ == "__main__": child_main(work)()`, where `work(workdir, spec, reporter)` returns the
result. It reads `spec.json`, appends events to `progress.jsonl`, and writes `result.json` last;
stdout and stderr go to `log.txt`. The standard library is all this module needs.

A child may do its work in several processes, each a `Part` of it: the first one reports, and
whichever fails first says why.
"""

import errno
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from tasks.errors import ConfigError, DataError, StorageError
from tasks.memory import OutOfMemory, is_used_up

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

TOGETHER_SECONDS = 1.0
"""Signals to stop that come this close together are one request."""


class Stopped(BaseException):
    """SIGTERM came: unwind, close files, leave with exit code 75."""


class PartFailed(Exception):
    """A process that does a part of the work has failed."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True, kw_only=True)
class Part:
    """One of several processes that do a child's work together."""

    rank: int
    count: int

    @property
    def silent(self) -> bool:
        """Whether another process reports for this one."""
        return self.rank > 0


class Reporter:
    """Appends events to WORKDIR/progress.jsonl; each line is also the heartbeat.

    `silent`: another process does it.
    """

    def __init__(self, workdir: Path, *, silent: bool = False) -> None:
        self._path = workdir / PROGRESS
        self._path.touch()
        self._silent = silent
        self.stop_asked = False
        self._stops_anywhere = True

    def event(self, event: str, **fields: Any) -> None:
        """Append {"event": event, ...} as one line, visible to the launcher at once."""
        if not self._silent:
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
        data = text.encode()
        if os.write(descriptor, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
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
        text = "".join(json.dumps({**line, "item": item}) + "\n" for item in items)
        try:
            _append(self._path, text)
        except OSError as error:
            raise StorageError(
                f"{self._path}: could not note what is worked on: {error}. Free space there "
                "(TSO_WORK names the folder), then start again: finished work is kept"
            ) from error


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


def child_main(work: Work, part: Part | None = None) -> Callable[[], None]:
    """The main function of a child that does `work`; it ends the process with an exit code.

    `part`: which process this is, if the child starts several.
    """

    def main() -> None:
        if len(sys.argv) != 2:
            sys.stderr.write(f"usage: python -m MODULE WORKDIR (got {sys.argv[1:]})\n")
            sys.exit(BAD_INPUT)
        _leave_out_sklearn()
        code = run(work, Path(sys.argv[1]), part)
        if part is None:
            sys.exit(code)
        # At once: connections to other parts that are gone may abort a process that takes leave.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    return main


def _leave_out_sklearn() -> None:
    """Where it is installed, transformers loads it, a second of work, for what no child does."""
    sys.modules["sklearn"] = None  # type: ignore[assignment]


def run(work: Work, workdir: Path, part: Part | None = None) -> int:
    """Do `work` in `workdir` and return the exit code; what went wrong goes to error.json."""
    started = time.monotonic()
    try:
        if part is None:
            (workdir / ERROR).unlink(missing_ok=True)
        reporter = Reporter(workdir, silent=part is not None and part.silent)
        reporter.stop_on_sigterm()
        result = work(workdir, read_spec(workdir), reporter)
        if part is None or not part.silent:
            finish(workdir, result)
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
    if isinstance(error, PartFailed):
        return error.exit_code
    if isinstance(error, (ConfigError, DataError)):
        return BAD_INPUT
    return OUT_OF_MEMORY if is_used_up(error) else BUG


def _log_failure(error: BaseException) -> None:
    if isinstance(error, Stopped):
        sys.stderr.write("stopped by SIGTERM\n")
    elif isinstance(error, (ConfigError, DataError, PartFailed)):
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    else:
        traceback.print_exception(error)
    sys.stderr.flush()


def _write_error(workdir: Path, error: BaseException, code: int, seconds: float) -> None:
    report = {"type": type(error).__name__, "message": str(error), "exit_code": code}
    if isinstance(error, OutOfMemory):
        report |= {"in_flight": error.facts}
    text = json.dumps({**report, "seconds": round(seconds, 1)}, indent=1) + "\n"
    try:
        with (workdir / ERROR).open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return  # another part failed first: this one most likely because of it
    except OSError as problem:
        sys.stderr.write(f"cannot write {workdir / ERROR}: {problem}\n")
