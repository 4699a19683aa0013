"""A lease keeps two live flow runs from working on one run. Best effort: see `Lease`."""

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from infra.storage import Store
from tasks.canonical import canonical_json, digest
from tasks.errors import HeldError, StorageError

_log = logging.getLogger(__name__)

SAME_START_SECONDS = 1.0
"""Two readings of one process' start differ by less; a reused pid starts later."""
WAIT_SECONDS = 0.1
"""Between two tries to take a lease that somebody else is just taking over."""
TRIES = 5
"""Rounds of a race for one lease before the others are believed to hold it."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds a lease: a flow run and the process it lives in."""

    flow_run_id: str
    """The flow run; it may take over its own lease, e.g. after a crash."""
    host: str
    """Name of the machine or container."""
    boot_id: str
    """Changes with every boot and differs between containers, whose pids mean other processes."""
    pid: int
    """The process."""
    process_started: float
    """When the process started (seconds since boot): tells a reused pid."""

    @classmethod
    def here(cls, flow_run_id: str) -> "Holder":
        """This process, working for `flow_run_id`."""
        return cls(
            flow_run_id=flow_run_id,
            host=socket.gethostname(),
            boot_id=_boot_id(),
            pid=os.getpid(),
            process_started=_started(os.getpid()) or 0.0,
        )

    def is_dead(self) -> bool:
        """Whether its process is known to be gone; False where that cannot be seen from here."""
        if self.boot_id != _boot_id():
            return False
        started = _started(self.pid)
        return started is None or abs(started - self.process_started) > SAME_START_SECONDS


def _boot_id() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{socket.gethostname()}/{psutil.boot_time():.0f}"


def _started(pid: int) -> float | None:
    """Seconds from boot to the start of `pid`; None if it is gone or only waits to be reaped."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        # Both readings move with the clock, so their difference does not.
        return float(process.create_time() - psutil.boot_time())
    except psutil.NoSuchProcess:
        return None


class Lease:
    """A lease at `path` of `store`, taken on entry, renewed by a thread, given back on exit.

    It is taken over at once from the same flow run or from a dead process of this boot, otherwise
    when it has expired; else HeldError says who holds it. A lease is no lock: a holder that sleeps
    longer than `seconds` loses it and may still be writing, so data is kept right by
    first-commit-wins; `check` tells a holder that it lost the lease, and `superseded` is called
    (in a thread) when another process took it for the same flow run.
    """

    def __init__(
        self,
        store: Store,
        path: str,
        holder: Holder,
        seconds: float = 60,
        renew_seconds: float = 20,
        superseded: Callable[[], None] | None = None,
    ) -> None:
        self._store = store
        self._path = path
        self._holder = holder
        self._seconds = seconds
        self._renew_seconds = renew_seconds
        self._since = time.time()
        self._superseded = superseded
        self._taken_by: dict[str, Any] | None = None
        self._closing = threading.Event()
        self._renewer = threading.Thread(target=self._renew_now_and_then, daemon=True)

    def __enter__(self) -> "Lease":
        self._since = time.time()
        self._take()
        self._renewer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._renewer.join()
        try:
            if self._is_mine(self._read(self._path)):
                self._store.delete(self._path)
        except StorageError as failure:
            _log.warning("The lease stays until it expires: %s", failure)

    def check(self) -> None:
        """Raise HeldError if somebody else took the lease."""
        if self._taken_by is not None:
            raise self._held(self._taken_by)

    def _take(self) -> None:
        for _ in range(TRIES):
            entry = self._read(self._path)
            if entry is None:
                self._write(self._store.create)
            elif self._may_take(entry):
                self._take_over(entry)
            else:
                raise self._held(entry)
            if self._is_mine(entry := self._read(self._path)):
                return
        raise self._held(entry or {})

    def _take_over(self, old: dict[str, Any]) -> None:
        """Replace `old`; of several who do so at once the one whose marker is created does it."""
        marker = f"{self._path}.{digest(old)[:16]}"
        if not self._store.create(marker, self._entry()):
            if self._may_take(self._read(marker) or {}):
                self._store.delete(marker)  # its maker died between marker and lease
            time.sleep(WAIT_SECONDS)
            return
        try:
            if self._read(self._path) == old:
                self._write(self._store.write)
        finally:
            self._store.delete(marker)

    def _may_take(self, entry: dict[str, Any]) -> bool:
        try:
            holder = Holder(**entry["holder"])
            expired = time.time() > entry["until"]
        except (KeyError, TypeError):
            return True
        return expired or holder.flow_run_id == self._holder.flow_run_id or holder.is_dead()

    def _is_mine(self, entry: dict[str, Any] | None) -> bool:
        return entry is not None and entry.get("holder") == asdict(self._holder)

    def _entry(self) -> bytes:
        until = time.time() + self._seconds
        body = {"holder": asdict(self._holder), "since": self._since, "until": until}
        return canonical_json(body).encode()

    def _write(self, put: Callable[[str, bytes], Any]) -> None:
        put(self._path, self._entry())

    def _read(self, path: str) -> dict[str, Any] | None:
        """The entry; {} if it is damaged, which anybody may take; None if there is none."""
        try:
            entry = json.loads(self._store.read(path))
        except FileNotFoundError:
            return None
        except ValueError:
            return {}
        return entry if isinstance(entry, dict) else {}

    def _renew_now_and_then(self) -> None:
        while self._taken_by is None and not self._closing.wait(self._renew_seconds):
            try:
                self._renew()
            except StorageError as error:
                _log.warning("The lease could not be renewed, trying again: %s", error)

    def _renew(self) -> None:
        entry = self._read(self._path)
        if entry is None:
            self._write(self._store.create)
        elif self._is_mine(entry):
            self._write(self._store.write)
        else:
            self._taken_by = entry
            same = entry.get("holder", {}).get("flow_run_id") == self._holder.flow_run_id
            if same and self._superseded is not None:
                self._superseded()

    def _held(self, entry: dict[str, Any]) -> HeldError:
        holder = entry.get("holder", {})
        return HeldError(
            f"{self._store.uri(self._path)} is held by flow run {holder.get('flow_run_id')} "
            f"(process {holder.get('pid')} on {holder.get('host')}) since "
            f"{_shown(entry.get('since'))}, until {_shown(entry.get('until'))} unless it renews. "
            "Wait for it or cancel that flow run, then start again"
        )


def _shown(moment: float | None) -> str:
    if moment is None:
        return "an unknown time"
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
