"""Ports of this machine: which are free, and who has the others."""

import contextlib
import socket

import psutil

from infra.stack.parts import Part
from tasks.errors import ConfigError


def check_free(part: Part) -> None:
    """ConfigError, naming who has it, if the port of a part that is to be started is taken."""
    if part.port is None or is_free(part.port):
        return
    raise ConfigError(
        f"port {part.port} of the part {part.name} is taken by {holder_of(part.port)}; "
        "end it, or choose others: tso stack up --port N (the stack takes N and the four after it)"
    )


def is_free(port: int) -> bool:
    """Whether a server could listen on it now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def holder_of(port: int) -> str:
    """Who listens on it, as far as this user may see."""
    with contextlib.suppress(psutil.Error):
        for one in psutil.net_connections("tcp"):
            if one.laddr and one.laddr.port == port and one.status == psutil.CONN_LISTEN:
                return _described(one.pid)
    return "a process that this user may not see"


def _described(pid: int | None) -> str:
    if pid is None:
        return "a process that this user may not see"
    with contextlib.suppress(psutil.Error):
        return f"process {pid} ({' '.join(psutil.Process(pid).cmdline())[:80]})"
    return f"process {pid}"
