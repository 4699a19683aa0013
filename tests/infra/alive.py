"""Whether processes still run, for the tests that kill them."""

import time

import psutil


def gone(pids: list[int], seconds: float = 5) -> bool:
    """Whether all processes end in `seconds` (a zombie of a dead parent counts as ended)."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(running(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
