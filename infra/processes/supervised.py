"""A process that cannot outlive its launcher, however either of them dies."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from infra.processes import supervisor
from tasks import child
from tasks.errors import HeldError

GRACE_SECONDS = 10.0
"""Time between SIGTERM and SIGKILL: a child unwinds and closes its files in it."""
LOCK = "child.lock"


class Supervised:
    """`command` running under a supervisor in `workdir`, output appended to WORKDIR/log.txt.

    A context manager: leaving it stops the process and everything it started. One process at a
    time works in a `workdir`; a second comer waits for the first to be gone, `wait_seconds` at
    most (default: as long as stopping may take), then HeldError. Without `inherit` it has no
    variables but those in `environment`.
    """

    def __init__(
        self,
        command: Sequence[str],
        workdir: Path,
        *,
        environment: Mapping[str, str] | None = None,
        inherit: bool = True,
        grace_seconds: float = GRACE_SECONDS,
        wait_seconds: float | None = None,
    ) -> None:
        self.workdir = workdir
        self._wait = wait_seconds
        self._command = list(command)
        self._environment = {**(os.environ if inherit else {}), **(environment or {})}
        self._grace = grace_seconds

    def __enter__(self) -> "Supervised":
        self.workdir.mkdir(parents=True, exist_ok=True)
        stopping = self._grace + supervisor.KILLED_SECONDS + 5
        lock = _locked(self.workdir, stopping if self._wait is None else self._wait)
        try:
            self._start(lock)
        finally:
            os.close(lock)
        return self

    def _start(self, lock: int) -> None:
        for name in (child.PID, child.PROGRESS, child.RESULT, child.ERROR):
            (self.workdir / name).unlink(missing_ok=True)
        (self.workdir / child.PROGRESS).touch()
        read_end, self._pipe = os.pipe()
        log = (self.workdir / child.LOG).open("ab")
        self._log_start = log.tell()
        options = [str(read_end), str(os.getpid()), str(self._grace), str(self.workdir / child.PID)]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", supervisor.__file__, *options, *self._command],
                pass_fds=(read_end, lock),
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
            )
        except BaseException:
            os.close(self._pipe)
            raise
        finally:
            os.close(read_end)
            log.close()

    def exit_code(self) -> int | None:
        """None while it runs; then its exit code, 128 + N if signal N killed it.

        Negative if the supervisor itself was killed (its process dies with it).
        """
        return self._process.poll()

    def stop(self) -> int:
        """SIGTERM, after the grace SIGKILL, to all of it; returns the exit code."""
        self._close_pipe()
        try:
            code = self._process.wait(self._grace + supervisor.KILLED_SECONDS + 5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if code < 0:
            self._kill_group()
        return code

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def log_tail(self, lines: int = 20) -> str:
        """The last `lines` lines that this process wrote to its log."""
        with (self.workdir / child.LOG).open("rb") as log:
            start = max(self._log_start, log.seek(0, os.SEEK_END) - 200 * lines)
            log.seek(start)
            text = log.read().decode(errors="replace")
        return "\n".join(text.rstrip().splitlines()[-lines:])

    def _close_pipe(self) -> None:
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1

    def _kill_group(self) -> None:
        """Kill what a killed supervisor could not: members of the group the pid file names."""
        try:
            group = int((self.workdir / child.PID).read_text(encoding="utf-8"))
            os.killpg(group, signal.SIGKILL)
        except (OSError, ValueError):
            return


def _locked(workdir: Path, seconds: float) -> int:
    """A lock on `workdir`, inherited by what is started: free only when all of that is gone."""
    lock = os.open(workdir / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(lock)
                raise HeldError(_held(workdir, seconds)) from None
            time.sleep(0.05)


def _held(workdir: Path, seconds: float) -> str:
    pid = workdir / child.PID
    who = pid.read_text(encoding="utf-8") if pid.exists() else "unknown"
    return (
        f"another process (group {who}) still works in {workdir} after {seconds:.0f} s; "
        f"wait for it, or end it with: kill -- -{who}"
    )
