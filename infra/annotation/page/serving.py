"""Runs the annotation page: for a command, for a stack, or beside a flow that waits."""

import getpass
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import uvicorn

from infra.annotation.page.access import Keys, load_keys
from infra.annotation.page.app import annotation_app
from infra.run_tree import NAME
from infra.storage import Store
from tasks.errors import ConfigError

URL_VARIABLE = "TSO_ANNOTATE_URL"
"""Where the page is served already; a stack sets it for its workers."""
PORT = 4204
LOOPBACK = ("127.0.0.1", "localhost")
START_SECONDS = 30.0
MOST_CONNECTIONS = 500
IDLE_SECONDS = 65
"""A connection stays open for the next answer."""


def server_of(store: Store, keys: Keys, port: int, address: str = "") -> uvicorn.Server:
    """The server on this machine's own port; `address` is its public one behind a proxy.

    It listens to this machine alone: whoever wants it elsewhere puts a proxy in front, which
    speaks TLS and keeps the name that people use (docs/security.md).
    """
    hosts = frozenset({*LOOPBACK, *([public_name(address)] if address else [])})
    return uvicorn.Server(
        uvicorn.Config(
            annotation_app(store, keys, hosts),
            host=LOOPBACK[0],
            port=port,
            log_level="warning",
            access_log=False,  # who looked at what is nobody's business, and tokens are secret
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=10,
        )
    )


def public_name(address: str) -> str:
    """The name in a public address; ConfigError unless it is one that keeps secrets."""
    parts = urlsplit(address)
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/"):
        raise ConfigError(
            f"public address {address!r}: needs the form https://annotate.example.com, a name of "
            "its own; answers and links may only travel over TLS"
        )
    return parts.hostname


def local_address(port: int) -> str:
    """Where this machine finds the page."""
    return f"http://{LOOPBACK[0]}:{port}"


def local_annotator() -> str:
    """Whoever sits at this machine, as an annotator's name."""
    name = re.sub(r"[^a-z0-9._-]", "-", getpass.getuser().lower())
    return name if NAME.fullmatch(name) else "me"


@contextmanager
def served(store: Store, run: str, say: Callable[[str], None]) -> Iterator[str]:
    """Serve the page within the block, unless somebody does already, and say where it is.

    The links of annotators are not said: a flow's words are logged.
    """
    how = f"`tso annotate link {run}` prints your link"
    if address := os.environ.get(URL_VARIABLE):
        say(f"annotation page: {address.rstrip('/')}/{run} ({how})")
        yield address
        return
    keys = load_keys()
    port = free_port(PORT)
    server = server_of(store, keys, port)
    thread = threading.Thread(target=server.run, name="annotation-page", daemon=True)
    thread.start()
    try:
        _wait(server, thread)
        address = local_address(port)
        say(f"annotation page: {address}/{run} ({how})")
        yield address
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)


def check_free(port: int) -> None:
    """ConfigError if somebody listens on the port."""
    if _bound(port) is None:
        raise ConfigError(f"port {port} is taken; choose another with --port")


def free_port(wanted: int) -> int:
    """`wanted` if nobody listens there, else a port that is free now."""
    found = _bound(wanted) or _bound(0)
    if found is None:
        raise ConfigError("no port of this machine is free for the annotation page")
    return found


def _bound(port: int) -> int | None:
    """The port that a socket was bound to, for a moment; None if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK[0], port))
        except OSError:
            return None
        return int(probe.getsockname()[1])


def _wait(server: uvicorn.Server, thread: threading.Thread) -> None:
    """Return when the server answers; ChildError if it does not start."""
    deadline = threading.Event()
    for _ in range(int(START_SECONDS * 50)):
        if server.started:
            return
        if not thread.is_alive():
            break
        deadline.wait(0.02)
    raise ConfigError("the annotation page did not start; `tso annotate serve` says why")
