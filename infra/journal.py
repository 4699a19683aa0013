"""Paid calls, written down the moment they are answered: none is paid twice.

The local file is fsynced before `append_all` returns, so the death of a process loses only calls in
flight. New bytes are copied to the store as segments, so the loss of a machine costs at most the
last `copy_seconds`. Segments are never rewritten: <remote>/<journal id>/<offset>.jsonl

Memory holds where each reply lies, not the replies: a journal serves all stages that ask a model.
"""

import fcntl
import hashlib
import json
import logging
import os
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from infra.storage import Store
from infra.storage_failures import failure
from tasks.canonical import canonical_json
from tasks.errors import StorageError

_log = logging.getLogger(__name__)

Place = tuple[int, int] | bytes
"""Where a line is: start and length in the local file, or what another machine wrote."""


class Journal:
    """Replies by call digest; thread-safe; processes of one machine may share a file.

    Without a store it stays local. `torn` counts the lines that a death cut short. `heard` is told
    of each entry once, whoever wrote it, in the order in which this object learns of them.
    """

    def __init__(
        self,
        local: Path,
        store: Store | None = None,
        remote: str = "",
        copy_seconds: float = 30,
        heard: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        self.torn = 0
        self._heard = heard
        self._local = local
        self._store = store
        self._remote = remote
        self._copy_seconds = copy_seconds
        self._places: dict[str, Place] = {}
        self._of_stage: defaultdict[str, list[Place]] = defaultdict(list)
        self._lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._copy_lock = threading.Lock()
        self._read_to = self._synced_to = self._copied_to = 0
        self._closing = threading.Event()
        self._copier: threading.Thread | None = None

    def __enter__(self) -> "Journal":
        with self._named("open"):
            self._local.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._local, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        with self._lock, self._named("read"):
            self._id = self._head()
            self._catch_up()
        if self._store is not None:
            self._read_remote(self._store)
            self._copier = threading.Thread(target=self._copy_now_and_then, daemon=True)
            self._copier.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        if self._copier is not None:
            self._copier.join()
            self._try_copy()
        os.close(self._file)

    def get(self, call: str) -> dict[str, Any] | None:
        """The reply that was paid for `call` (digest of request, model, replicate), or None."""
        with self._lock, self._named("read"):
            if call not in self._places:
                self._catch_up()
            place = self._places.get(call)
            return None if place is None else self._reply(place)

    def entries(self, stage: str) -> list[dict[str, Any]]:
        """Everything that `stage` wrote down (entries name theirs as "stage"), each call once."""
        with self._lock, self._named("read"):
            self._catch_up()
            return [self._reply(place) for place in self._of_stage.get(stage, ())]

    def catch_up(self) -> None:
        """Take in what other processes have written down since."""
        with self._lock, self._named("read"):
            self._catch_up()

    def _reply(self, place: Place) -> dict[str, Any]:
        line = place if isinstance(place, bytes) else os.pread(self._file, place[1], place[0])
        reply: dict[str, Any] = json.loads(line)["reply"]
        return reply

    def append(self, call: str, reply: dict[str, Any]) -> None:
        """Write down the reply to `call`; on disk when this returns."""
        self.append_all([(call, reply)])

    def append_all(self, replies: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Write down calls with their replies by one fsync; on disk when this returns.

        The first reply of a call is the one that counts. Raises StorageError if the disk refuses.
        """
        lines = [canonical_json({"call": call, "reply": reply}) + "\n" for call, reply in replies]
        with self._named("append to"):
            with self._lock:
                end = self._write("".join(lines).encode())
                self._catch_up()
            self._sync(end)

    def _write(self, lines: bytes) -> int:
        """Add `lines` whole or not at all; where they end."""
        with self._held(fcntl.LOCK_EX):
            start = os.fstat(self._file).st_size
            if start and os.pread(self._file, 1, start - 1) != b"\n":
                lines = b"\n" + lines
            try:
                written = 0
                while written < len(lines):
                    written += os.write(self._file, lines[written:])
            except OSError:
                os.ftruncate(self._file, start)
                raise
            return start + len(lines)

    def _sync(self, end: int) -> None:
        """One fsync serves all threads that wrote before it."""
        with self._sync_lock:
            if self._synced_to < end:
                reached = os.fstat(self._file).st_size
                os.fsync(self._file)
                self._synced_to = reached

    def _catch_up(self) -> None:
        """Take in what was added since, by whichever process."""
        if os.fstat(self._file).st_size > self._read_to:
            with self._held(fcntl.LOCK_SH):
                data = self._bytes_from(self._read_to)
            self._take_in(data, self._read_to)
            self._read_to += len(data)

    def _bytes_from(self, start: int) -> bytes:
        data = os.pread(self._file, os.fstat(self._file).st_size - start, start)
        while more := os.pread(self._file, 1 << 20, start + len(data)):
            data += more
        return data

    def _take_in(self, data: bytes, start: int | None) -> None:
        """Remember where the entries in `data` are; `start` in the file, None for others' files."""
        at = 0
        for line in data.split(b"\n"):
            if line:
                self._remember(line, line if start is None else (start + at, len(line)))
            at += len(line) + 1

    def _remember(self, line: bytes, place: Place) -> None:
        try:
            entry = json.loads(line)
            if "journal" in entry or entry["call"] in self._places:
                return
            reply = entry["reply"]
            self._places[entry["call"]] = place
            self._of_stage[reply.get("stage", "")].append(place)
        except (ValueError, KeyError, TypeError, AttributeError):
            self.torn += 1
            return
        if self._heard is not None:
            self._heard(reply)

    def _head(self) -> str:
        """The id in the file's first line, written if the file is new (or died being born)."""
        with self._held(fcntl.LOCK_EX):
            first, newline, _ = os.pread(self._file, 4096, 0).partition(b"\n")
            if not newline:
                os.ftruncate(self._file, 0)
                first = canonical_json({"journal": uuid.uuid4().hex}).encode()
                os.write(self._file, first + b"\n")
        return hashlib.sha256(first).hexdigest()[:16]

    def _read_remote(self, store: Store) -> None:
        """Take in what other machines copied, and see how far this file was copied."""
        own = ""
        for path in sorted(store.list(self._remote)):
            if path.startswith(f"{self._own_folder}/"):
                own = path
            else:
                with self._lock:
                    self._take_in(store.read(path), None)
        if own:
            last = int(own.rpartition("/")[2].removesuffix(".jsonl"))
            self._copied_to = last + store.size(own)

    def copy(self) -> None:
        """Copy what is new to the store now; StorageError if it refuses."""
        if self._store is None:
            return
        with self._copy_lock:
            while data := self._uncopied():
                path = f"{self._own_folder}/{self._copied_to:015d}.jsonl"
                if self._store.create(path, data):
                    self._copied_to += len(data)
                else:  # another process of this machine copied the same file
                    self._copied_to += self._store.size(path)

    def _uncopied(self) -> bytes:
        with self._lock, self._named("read"), self._held(fcntl.LOCK_SH):
            return self._bytes_from(self._copied_to)

    @property
    def _own_folder(self) -> str:
        return f"{self._remote}/{self._id}"

    def _copy_now_and_then(self) -> None:
        while not self._closing.wait(self._copy_seconds):
            self._try_copy()

    def _try_copy(self) -> None:
        """A store that is away for a while must not stop calls that are safe on this disk."""
        try:
            self.copy()
        except StorageError as error:
            _log.warning("Paid calls are so far only in %s: %s", self._local, error)

    @contextmanager
    def _held(self, how: int) -> Iterator[None]:
        """Keep other processes out; threads of this one are kept out by `_lock`."""
        fcntl.flock(self._file, how)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    @contextmanager
    def _named(self, operation: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise failure(f"{operation} the journal", str(self._local), error) from error
