"""Servers of this process by what they serve: who needs the same shares one."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from infra.vllm.server import Server
from tasks.serving import ServerSettings

Wish = tuple[ServerSettings, Path]
"""How a server runs, and the folder that it serves."""


@dataclass(kw_only=True)
class Shared:
    """One server for several users, started when the first of them asks."""

    settings: ServerSettings
    model: Path
    workdir: Path
    gpus: Sequence[str]
    users: int = 0
    _server: Server | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def running(self) -> Server:
        """The server; started anew if it was lost. ChildError if it does not start."""
        with self._lock:
            if self._server is None or not self._server.alive():
                self.stop()
                fresh = Server(self.settings, self.model, self.workdir, self.gpus)
                self._server = fresh.__enter__()
            return self._server

    def stop(self) -> None:
        """End it, if it runs."""
        if self._server is not None:
            self._server.stop()
            self._server = None


_shared: dict[Wish, Shared] = {}
_lock = threading.Lock()


@contextmanager
def shared_server(
    settings: ServerSettings, model: Path, workdir: Path, gpus: Sequence[str] = ()
) -> Iterator[Shared]:
    """A server of `model`, the same for all who ask for it at one time; the last one stops it.

    `workdir` is where the first of them keeps its log.
    """
    wish = (settings, model)
    with _lock:
        shared = _shared.setdefault(
            wish, Shared(settings=settings, model=model, workdir=workdir, gpus=gpus)
        )
        shared.users += 1
    try:
        yield shared
    finally:
        with _lock:
            shared.users -= 1
            if last := shared.users == 0:
                del _shared[wish]
        if last:
            shared.stop()
