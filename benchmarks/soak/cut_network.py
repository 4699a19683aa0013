"""A network namespace of its own, joined to this machine by one link that can be cut.

What runs in it reaches the servers of this machine, which listen on its loopback alone, at HOST:
a forwarder stands between. A cut link loses packets without a word, in both directions.
"""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any

from tasks.errors import ChildError, ConfigError

NAME = "tso-cut"
"""Of the namespace, and the beginning of its links' names."""
HOST, INSIDE = "198.51.100.1", "198.51.100.2"
"""This machine and the namespace on their link: addresses set aside for documentation."""
NETWORK = "198.51.100.0/30"
OUTER, INNER = f"{NAME}-out", f"{NAME}-in"
LOOPBACK = "127.0.0.1"
CHUNK = 65536


class CutNetwork:
    """The namespace while the block runs; servers on `ports` of the loopback are reached from it.

    ConfigError without root, without `ip`, or where the namespace is there already.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._stack = ExitStack()

    def __enter__(self) -> "CutNetwork":
        check_possible()
        with ExitStack() as stack:
            run_ip("netns", "add", NAME)
            stack.callback(run_ip, "netns", "delete", NAME)
            run_ip("link", "add", OUTER, "type", "veth", "peer", "name", INNER, "netns", NAME)
            stack.callback(run_ip, "link", "delete", OUTER)
            run_ip("address", "add", f"{HOST}/30", "dev", OUTER)
            run_ip("-n", NAME, "address", "add", f"{INSIDE}/30", "dev", INNER)
            for link in ("lo", INNER):
                run_ip("-n", NAME, "link", "set", link, "up")
            # Else answers over a cut link would leave this machine by its default route.
            run_ip("route", "add", "blackhole", NETWORK, "metric", "9999")
            stack.callback(run_ip, "route", "delete", "blackhole", NETWORK, "metric", "9999")
            self.mend()
            for port in self._ports:
                stack.enter_context(Forwarder(port))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._stack.close()

    def command(self, command: Sequence[str]) -> tuple[str, ...]:
        """`command`, in the namespace."""
        return ("ip", "netns", "exec", NAME, *command)

    def cut(self) -> None:
        """Take the link down."""
        run_ip("link", "set", OUTER, "down")

    def mend(self) -> None:
        """Take the link up again."""
        run_ip("link", "set", OUTER, "up")


def check_possible() -> None:
    """ConfigError that says what lacks, unless a namespace can be made here."""
    if os.geteuid() != 0:
        raise ConfigError("to cut a worker off takes a network namespace: run this as root")
    if shutil.which("ip") is None:
        raise ConfigError("no `ip`: install it (Debian, Ubuntu: apt-get install iproute2)")
    if NAME in run_ip("netns", "list").split():
        raise ConfigError(
            f"the network namespace {NAME} is there: another soak runs, or one was killed; then "
            f"ip netns delete {NAME}; ip link delete {OUTER}; ip route delete blackhole {NETWORK}"
        )
    routes = run_ip("-4", "route", "show", "to", "match", NETWORK).splitlines()
    if taken := [one for one in routes if not one.startswith("default")]:
        raise ConfigError(f"this machine reaches {NETWORK} already ({taken[0].strip()})")


def run_ip(*arguments: str) -> str:
    """What the command says; ChildError if it fails."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"`ip {' '.join(arguments)}` failed: {done.stderr.strip()}"
        raise ChildError(message, done.returncode)
    return done.stdout


class Forwarder:
    """Joins connections to HOST:port with those of the loopback while the block runs."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._server = socket.create_server((HOST, port))

    def __enter__(self) -> "Forwarder":
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _serve(self) -> None:
        with suppress(OSError):  # closed: nobody is to be joined any more
            while True:
                near, _ = self._server.accept()
                threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        # A server that is down is not reached: then what stands for it hangs up, too.
        with near, suppress(OSError), socket.create_connection((LOOPBACK, self._port)) as far:
            back = threading.Thread(target=_passed_on, args=(far, near), daemon=True)
            back.start()
            _passed_on(near, far)
            back.join()


def _passed_on(one: socket.socket, other: socket.socket) -> None:
    """Pass on what `one` sends until it has ended, and the end, too."""
    with suppress(OSError):
        while data := one.recv(CHUNK):
            other.sendall(data)
    with suppress(OSError):
        other.shutdown(socket.SHUT_WR)
