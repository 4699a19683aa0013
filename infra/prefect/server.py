"""A Prefect server for this process alone, where no other is configured.

Prefect's own ephemeral server outlives a killed flow; this one runs under the supervisor and ends
with the process that started it.
"""

import logging
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from pathlib import Path

from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker, PrefectConsoleHandler
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    get_current_settings,
    temporary_settings,
)

from infra.processes import Supervised
from infra.work import work_root
from tasks import child
from tasks.errors import ChildError, HeldError

START_SECONDS = 120.0
"""Longest wait for the server; the first start on a machine makes the database."""
GRACE_SECONDS = 5.0
SEND_SECONDS = 10.0
SETTLE_SECONDS = 1.0
"""The server files task states a little after it received them; later ones stay `Running`."""
ATTEMPTS = 3
"""Another program may take the free port before the server does."""
MOST_SERVERS = 64
IDLE_SERVICES = (
    "CANCELLATION_CLEANUP",
    "CLEANUP_RECONCILER",
    "DB_VACUUM",
    "EVENT_PERSISTER",
    "FOREMAN",
    "LATE_RUNS",
    "REPOSSESSOR",
    "SCHEDULER",
    "TRIGGERS",
)
"""Services for workers, schedules and automations, which a server of one process does not have.

They write now and then, and SQLite makes writers wait for each other, up to a minute.
"""


@contextmanager
def local_api() -> Iterator[str]:
    """Give this process a Prefect API and yield its URL: the configured one, or a server of ours.

    Our server keeps its database in the work folder, so history stays from run to run. It is gone
    when the block ends, or when this process is killed. ChildError if it does not start.
    """
    configured = get_current_settings().api.url
    if configured is not None:
        yield configured
        return
    with ExitStack() as stack:
        url = _started(stack)
        # A flow's heartbeat tells a remote server that it lives. Here it would only cost a second
        # at the end of every flow: its thread sleeps in steps of one second.
        stack.enter_context(
            temporary_settings({PREFECT_API_URL: url, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
        )
        stack.callback(_send_the_rest)
        stack.enter_context(_quiet_terminal())
        yield url


def _started(stack: ExitStack) -> str:
    """Start a server that `stack` will stop; its API's URL."""
    for attempt in range(ATTEMPTS):
        port = _free_port()
        with ExitStack() as trial:
            server = _in_a_free_folder(trial, port)
            url = f"http://127.0.0.1:{port}/api"
            if _healthy(server, url):
                stack.push(trial.pop_all())
                return url
            code, tail = server.exit_code(), server.log_tail()
            if "address already in use" not in tail.lower() or attempt + 1 == ATTEMPTS:
                raise _not_started(server, code, tail)
    raise AssertionError("unreachable")


def _in_a_free_folder(stack: ExitStack, port: int) -> Supervised:
    """A server in the first folder that no other process uses: SQLite serves one server."""
    root = work_root() / "prefect"
    for number in range(MOST_SERVERS):
        folder = root / str(number)
        server = Supervised(
            _command(port),
            folder,
            environment=_environment(folder),
            grace_seconds=GRACE_SECONDS,
            wait_seconds=0,
        )
        try:
            return stack.enter_context(server)
        except HeldError:
            continue
    raise HeldError(
        f"all {MOST_SERVERS} folders in {root} are used by Prefect servers of running processes; "
        "start one server for all with `prefect server start` and set PREFECT_API_URL"
    )


def _command(port: int) -> list[str]:
    options = ["--host", "127.0.0.1", "--port", str(port)]
    return [sys.executable, "-m", "prefect", "server", "start", *options]


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PREFECT_HOME": str(folder),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{folder}/prefect.db",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        "DO_NOT_TRACK": "1",
        **{f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in IDLE_SERVICES},
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _healthy(server: Supervised, url: str) -> bool:
    """Whether the API answers before the time is up or the process ends."""
    end = time.monotonic() + START_SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < end and server.exit_code() is None:
        try:
            with opener.open(f"{url}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False


def _not_started(server: Supervised, code: int | None, tail: str) -> ChildError:
    ended = f"did not answer in {START_SECONDS:.0f} s" if code is None else f"ended with {code}"
    return ChildError(
        f"the local Prefect server {ended}; set PREFECT_API_URL to use another one, or look into "
        f"{server.workdir / child.LOG}, last lines:\n{tail}",
        child.BUG if code is None else code,
    )


def _send_the_rest() -> None:
    """Send queued events and logs while the server still listens."""
    shown_from = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it counts what is left to send, once a second
    for worker in (EventsWorker, APILogWorker):
        worker.drain_all(timeout=SEND_SECONDS, at_exit=False)
    logging.disable(shown_from)
    time.sleep(SETTLE_SECONDS)


@contextmanager
def _quiet_terminal() -> Iterator[None]:
    """Keep Prefect's account of every task and its tracebacks off the terminal.

    The server still gets both; the command line shows what finally went wrong.
    """
    chosen = "PREFECT_LOGGING_LEVEL" in os.environ
    handlers = [
        (handler, handler.level, handler.formatter)
        for name in ("", "prefect")
        for handler in logging.getLogger(name).handlers
        if isinstance(handler, PrefectConsoleHandler)
    ]
    for handler, level, formatter in handlers:
        handler.setFormatter(_OneLine(formatter or logging.Formatter()))
        handler.setLevel(level if chosen else max(level, logging.WARNING))
    try:
        yield
    finally:
        for handler, level, formatter in handlers:
            handler.setLevel(level)
            handler.setFormatter(formatter)


class _OneLine(logging.Formatter):
    """Formats as another formatter does, the traceback left out."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """The record without its traceback; other handlers still see it."""
        short = copy(record)
        short.exc_info = short.exc_text = None
        return self._inner.format(short)
