"""Who works on this machine at the same time: as many as were allowed, and as have room."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import psutil

from infra.vllm.machine import visible_gpus


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """What a piece of work takes of the machine while it runs."""

    alone: bool = False
    """All cores: where no number is given, nothing that computes runs beside it."""
    host_bytes: int = 0
    """Main memory."""
    gpus: int = 0
    """GPUs."""
    gpu_share: float = 0.0
    """Share of the memory of each of them, 0 to 1."""
    shared: str = ""
    """Work with this mark uses one and the same server, which counts once; empty for none."""

    @property
    def nothing(self) -> bool:
        """Whether it computes elsewhere, or nothing."""
        return not (self.alone or self.host_bytes or self.gpus)


class Entry:
    """Work that was let in."""

    def __init__(self, room: "Room", needs: Needs, gpus: tuple[str, ...]) -> None:
        self.needs = needs
        self.gpus = gpus
        """The GPUs that it may use; empty where it needs none, or the machine has none."""
        self.draining = False
        self._room = room

    def drain(self) -> None:
        """It begins nothing new: another may begin beside it if there is memory for both."""
        self._room.drained(self)


class Room:
    """Lets work in, in the order of its coming; thread-safe.

    At most `most` at a time (None: any number) that are not draining, and as much as memory and
    GPUs hold; whoever comes to an empty room is let in whatever it needs. Who shares the server
    of somebody inside needs no room and does not wait for others.
    """

    def __init__(self, most: int | None, host_bytes: int, gpus: Sequence[str]) -> None:
        self._most = most
        self._host_bytes = host_bytes
        self._gpus = tuple(gpus)
        self._inside: list[Entry] = []
        self._waiting: list[object] = []
        self._changed = threading.Condition()

    @contextmanager
    def entered(self, needs: Needs) -> Iterator[Entry]:
        """Wait for room, and hold it."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(lambda: self._is_next(ticket, needs))
                entry = self.let_in(needs)
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield entry
        finally:
            with self._changed:
                self._inside.remove(entry)
                self._changed.notify_all()

    def let_in(self, needs: Needs) -> Entry:
        """Take its place, whether or not there is one."""
        entry = Entry(self, needs, self._gpus_for(needs) or ())
        self._inside.append(entry)
        return entry

    def emptied(self) -> "Room":
        """A room like this with nobody inside."""
        return Room(self._most, self._host_bytes, self._gpus)

    def drained(self, entry: Entry) -> None:
        """Note that `entry` begins nothing new."""
        with self._changed:
            entry.draining = True
            self._changed.notify_all()

    def _is_next(self, ticket: object, needs: Needs) -> bool:
        first = self._waiting[0] is ticket or self._has_server(needs)
        return first and self.has_place(needs)

    def has_place(self, needs: Needs) -> bool:
        """Whether `needs` would be let in now."""
        active = [one for one in self._inside if not one.draining]
        if self._most is not None and len(active) >= self._most:
            return False
        computing = [one for one in self._inside if not one.needs.nothing]
        if needs.nothing or not computing or self._has_server(needs):
            return True
        alone = needs.alone or any(one.needs.alone for one in computing)
        if alone:
            return self._most is not None  # whoever gives a number has looked at the cores
        held = sum(_once(computing).values())
        fits = needs.host_bytes <= self._host_bytes - held
        return fits and self._gpus_for(needs) is not None

    def _has_server(self, needs: Needs) -> bool:
        return bool(needs.shared) and any(one.needs.shared == needs.shared for one in self._inside)

    def _gpus_for(self, needs: Needs) -> tuple[str, ...] | None:
        """GPUs with enough memory left, those of a shared server first; None if too few have."""
        for one in self._inside:
            if needs.shared and one.needs.shared == needs.shared:
                return one.gpus
        free = [gpu for gpu in self._gpus if self._left(gpu) >= needs.gpu_share - 1e-9]
        if len(free) >= needs.gpus:
            return tuple(free[: needs.gpus])
        return None

    def _left(self, gpu: str) -> float:
        """Share of its memory that nobody inside has."""
        taken = {id(one) if not one.needs.shared else one.needs.shared: one.needs.gpu_share
                 for one in self._inside if gpu in one.gpus}  # fmt: skip
        return 1.0 - sum(taken.values())


def _once(entries: Sequence[Entry]) -> Mapping[object, int]:
    """Main memory by who holds it; a shared server counts once."""
    return {one.needs.shared or id(one): one.needs.host_bytes for one in entries}


SPARE = 0.9
"""Share of the free main memory that is given away."""


@cache
def room(most: int | None) -> Room:
    """The room of this process for work of which `most` may run at a time (None: what fits)."""
    return Room(most, int(SPARE * psutil.virtual_memory().available), visible_gpus())


def together(needs: Mapping[str, Needs], empty: Room) -> list[list[str]]:
    """Who would be in the room at a time, by name: groups in the order of their coming."""
    groups: list[list[str]] = []
    for name, one in needs.items():
        if not groups or not empty.has_place(one):
            groups.append([])
            empty = empty.emptied()
        empty.let_in(one)
        groups[-1].append(name)
    return groups
