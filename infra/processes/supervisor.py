"""Runs one command in its own process group and ends the whole group with its launcher.

`python supervisor.py PIPE PARENT GRACE PIDFILE COMMAND...`: PIPE is the reading end of a pipe whose
other end only the launcher (process PARENT) holds. End-of-file, a new parent or SIGTERM mean that
the launcher is gone or wants an end: the group gets SIGTERM and after GRACE seconds SIGKILL.
Exits with the command's exit code, 128 + N if signal N killed it. It is started for every child,
so it imports nothing but small parts of the standard library.
"""

import ctypes
import os
import select
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
POLL_SECONDS = 1.0
"""How often the parent's id is checked: the pipe alone stays open if a fork of it was kept."""
KILLED_SECONDS = 5.0
"""Time a process gets to vanish after SIGKILL (longer only in uninterruptible I/O)."""


def prctl(option: int, value: int) -> None:
    """Set a process attribute where the kernel has it (Linux); elsewhere do nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def start(command: list[str], pidfile: str) -> int:
    """Start `command` in a session of its own, with SIGKILL if this process dies; its pid."""
    me = os.getpid()
    started, running = os.pipe()
    pid = os.fork()
    if pid:
        os.close(running)
        os.read(started, 1)  # end-of-file at exec: from then on signals reach the command itself
        os.close(started)
        return pid
    try:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with open(pidfile, "w", encoding="utf-8") as file:  # before exec: never missing
            file.write(str(os.getpid()))
        if os.getppid() == me:
            os.execvp(command[0], command)
    except BaseException as error:
        os.write(2, f"cannot start {command[0]}: {error}\n".encode())
    os._exit(127)


def wait_for_end(pid: int, pipe: int, wake: int, parent: int) -> None:
    """Return when `pid` has exited, or when the launcher is gone or asks for the end."""
    while not exited(pid) and os.getppid() == parent:
        ready, _, _ = select.select([pipe, wake], [], [], POLL_SECONDS)
        if pipe in ready or (wake in ready and signal.SIGTERM in os.read(wake, 512)):
            return


def exited(pid: int) -> bool:
    """Whether `pid` has exited; it is not reaped, so its group id cannot be given away."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def stop(pid: int, wake: int, grace: float) -> None:
    """SIGTERM to the group, and up to `grace` seconds for its leader to unwind."""
    signal_group(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while not exited(pid) and time.monotonic() < deadline:
        ready, _, _ = select.select([wake], [], [], min(0.1, grace))
        if ready:
            os.read(wake, 512)


def signal_group(pid: int, number: int) -> None:
    """Send `number` to the process group of `pid`, if it still has members."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):  # PermissionError: only zombies on macOS
        return


def kill_the_rest(pid: int) -> int:
    """SIGKILL to the group and to every orphan that came to us; the exit code of `pid`."""
    signal_group(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    deadline = time.monotonic() + KILLED_SECONDS
    while time.monotonic() < deadline:
        for orphan in children():
            os.kill(orphan, signal.SIGKILL)
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.01)
        except ChildProcessError:
            break
    return code


def children() -> list[int]:
    """Direct children of this process: as subreaper it inherits those that left the group."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def main(arguments: list[str]) -> int:
    """Run the command of `arguments` to its end; returns its exit code."""
    pipe, parent, grace, pidfile = int(arguments[0]), int(arguments[1]), *arguments[2:4]
    os.set_inheritable(pipe, False)
    wake, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    pid = start(arguments[4:], pidfile)
    wait_for_end(pid, pipe, wake, parent)
    if not exited(pid):
        stop(pid, wake, float(grace))
    code = kill_the_rest(pid)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
