"""Who is looking at which item now, so that two people do not do the same work.

Leases also stand in a file of this machine, so that a server that was killed knows them again.
Losing them costs at most an answer too many, so the file is not synced.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

LEASE_SECONDS = 180.0
"""A page renews its leases every 45 s for as long as somebody is there."""


class Holder(NamedTuple):
    """A person at one window."""

    annotator: str
    window: str


class Leases:
    """Items and who holds them, until when."""

    def __init__(self, file: Path, now: float) -> None:
        self._held: dict[str, dict[Holder, float]] = {}
        file.parent.mkdir(parents=True, exist_ok=True)
        for item_id, holder, until in _read(file):
            self._note(item_id, holder, until)
        alive = [
            (item_id, holder, until)
            for item_id, holders in self._held.items()
            for holder, until in holders.items()
            if until > now
        ]
        file.write_text("".join(map(_line, alive)), encoding="utf-8")
        self._file = file.open("a", encoding="utf-8")

    def take(self, item_ids: Iterable[str], holder: Holder, now: float) -> None:
        """Hold items from now on, or longer."""
        self._write([(item_id, holder, now + LEASE_SECONDS) for item_id in item_ids])

    def release(self, item_id: str, annotator: str) -> None:
        """Give an item back: `annotator` has answered it, at whichever window."""
        ended = [one for one in self._held.get(item_id, {}) if one.annotator == annotator]
        self._write([(item_id, holder, 0.0) for holder in ended])

    def holders(self, item_id: str, now: float) -> set[Holder]:
        """Who holds an item."""
        return {one for one, until in self._held.get(item_id, {}).items() if until > now}

    def _write(self, changes: list[tuple[str, Holder, float]]) -> None:
        for change in changes:
            self._note(*change)
        self._file.write("".join(map(_line, changes)))
        self._file.flush()

    def _note(self, item_id: str, holder: Holder, until: float) -> None:
        holders = self._held.setdefault(item_id, {})
        holders[holder] = until
        if not until:
            del holders[holder]
            if not holders:
                del self._held[item_id]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _line(change: tuple[str, Holder, float]) -> str:
    item_id, holder, until = change
    return json.dumps([item_id, *holder, until]) + "\n"


def _read(file: Path) -> Iterable[tuple[str, Holder, float]]:
    """What a former server wrote; it may have been killed within a line."""
    if not file.exists():
        return
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            item_id, annotator, window, until = json.loads(line)
        except ValueError:
            continue
        yield item_id, Holder(annotator, window), until
