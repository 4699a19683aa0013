"""What no run of a store needs any more, and how it goes without anything that is needed.

A finished stage may be found and noted by a run in the very moment in which it is condemned. So
its manifest goes first, its bytes kept in `gc/condemned/<key>.json`; then runs are asked again. A
stage that one of them names by then gets its manifest back; of the others the rest goes. A
collector that dies leaves its notes, with which the next one goes on.
"""

import json
import logging
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.artifacts import MANIFEST, SIDE, read_stage
from infra.fsck import files_of
from infra.reach import STAGE, mentioned, runs_of
from infra.storage import Store
from infra.storage_objects import Found, Upload
from tasks.errors import StorageError

DAY = 86_400.0
SETTLE_SECONDS = 60.0
"""A run notes a stage that it finds finished much sooner."""
NOTES = "gc/condemned"
PROBES = ".probe"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Grace:
    """How old things have to be before they go (days)."""

    stages: float = 7.0
    """Finished stages that no run names, and what finished stages no longer need."""
    unfinished: float = 30.0
    """Stages that were begun: a run that waits for people may come back to them."""
    uploads: float = 1.0
    """Uploads that nobody finished, and probes."""


@dataclass(frozen=True, kw_only=True)
class Pile:
    """Things that may go for one reason."""

    role: str
    """Why, for people."""
    folders: tuple[str, ...] = ()
    """Finished stages that go as a whole."""
    paths: tuple[str, ...] = ()
    """Objects that go one by one."""
    uploads: tuple[Upload, ...] = ()
    """Uploads that are given up."""
    count: int
    """Objects or uploads."""
    size: int
    """Bytes; what unfinished uploads hold is not known."""


def piles_of(store: Store, grace: Grace, now: float | None = None) -> list[Pile]:
    """All that may go; nothing is changed. Journals, leases and all of `runs/` are never named.

    Raises StorageError if a run's objects or a named stage's manifest cannot be read.
    """
    return _Survey(store, grace, time.time() if now is None else now).piles()


class _Survey:
    """One look at a whole store."""

    def __init__(self, store: Store, grace: Grace, now: float) -> None:
        self._store = store
        self._grace = grace
        self._now = now

    def piles(self) -> list[Pile]:
        """By reason; empty ones are left out."""
        named = mentioned(self._store, runs_of(self._store))
        unnamed: dict[str, list[Found]] = {}
        begun: list[Found] = []
        left: list[Found] = []
        for folder, objects in self._stages().items():
            if f"{folder}/{MANIFEST}" not in {one.path for one in objects}:
                begun += objects if self._older(objects, self._grace.unfinished) else []
            elif folder in named:
                left += self._left_over(folder, objects)
            elif self._older(objects, self._grace.stages):
                unnamed[folder] = objects
        probes = [one for one in self._store.entries(PROBES) if self._older([one], 1.0)]
        found = [
            Pile(
                role="stages that no run names",
                folders=tuple(unnamed),
                count=sum(map(len, unnamed.values())),
                size=sum(one.size for part in unnamed.values() for one in part),
            ),
            _pile("stages that nobody finished", begun),
            _pile("shards and other copies in finished stages", left),
            _pile("probes", probes),
            self._uploads(),
        ]
        return [one for one in found if one.count]

    def _stages(self) -> Mapping[str, list[Found]]:
        """All objects of stages, by the folder of the stage."""
        found: defaultdict[str, list[Found]] = defaultdict(list)
        for one in self._store.entries("stages"):
            if (match := STAGE.match(one.path)) is not None:
                found[match.group()].append(one)
        return found

    def _older(self, objects: list[Found], days: float) -> bool:
        return max(one.modified for one in objects) < self._now - days * DAY

    def _left_over(self, folder: str, objects: list[Found]) -> Iterator[Found]:
        """What a finished stage does not name: shards, work of races lost, checkpoints."""
        if not self._older(objects, self._grace.stages):
            return
        kept = {f"{folder}/{MANIFEST}", f"{folder}/{SIDE}"}
        kept |= {file.path for file in files_of(read_stage(self._store, folder))}
        yield from (one for one in objects if one.path not in kept)

    def _uploads(self) -> Pile:
        latest = self._now - self._grace.uploads * DAY
        old = tuple(one for one in self._store.uploads() if one.begun < latest)
        return Pile(role="uploads left behind", uploads=old, count=len(old), size=0)


def _pile(role: str, objects: list[Found]) -> Pile:
    return Pile(
        role=role,
        paths=tuple(one.path for one in objects),
        count=len(objects),
        size=sum(one.size for one in objects),
    )


def throw_away(store: Store, piles: list[Pile], settle_seconds: float = SETTLE_SECONDS) -> int:
    """Delete what the piles name, and end what an earlier collector began; bytes freed at least.

    A stage that a run found in the meantime stays.
    """
    freed = 0
    for pile in piles:
        for upload in pile.uploads:
            store.abort(upload)
        # Manifests of shards before the shards that they name.
        for path in sorted(pile.paths, key=lambda path: not path.endswith(".json")):
            store.delete(path)
        freed += 0 if pile.folders else pile.size
        for folder in pile.folders:
            _condemn(store, folder)
    notes = [path for path in store.list(NOTES) if path.endswith(".json")]
    if notes:
        time.sleep(settle_seconds)
        named = mentioned(store, runs_of(store))
        freed += sum(_settle(store, path, set(named)) for path in notes)
    return freed


def _condemn(store: Store, folder: str) -> None:
    """Keep the manifest's bytes, then take the manifest away."""
    try:
        manifest = store.read(f"{folder}/{MANIFEST}").decode()
    except FileNotFoundError:
        return
    note = {"folder": folder, "manifest": manifest, "at": time.time()}
    store.write(f"{NOTES}/{folder.rpartition('/')[2]}.json", json.dumps(note).encode())
    store.delete(f"{folder}/{MANIFEST}")


def _settle(store: Store, path: str, named: set[str]) -> int:
    """Bring a condemned stage back or delete the rest of it; the bytes that went."""
    note = _read_note(store, path)
    folder, freed = note["folder"], 0
    if folder in named:
        store.create(f"{folder}/{MANIFEST}", note["manifest"].encode())
        _log.info("%s is in use again and stays", store.uri(folder))
    elif not store.exists(f"{folder}/{MANIFEST}"):
        freed = len(note["manifest"].encode())
        for one in store.entries(folder):
            if one.modified <= note["at"]:  # newer ones are of somebody who does the work again
                store.delete(one.path)
                freed += one.size
    store.delete(path)
    return freed


def _read_note(store: Store, path: str) -> dict[str, Any]:
    try:
        note: dict[str, Any] = json.loads(store.read(path))
        return {name: note[name] for name in ("folder", "manifest", "at")}
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{store.uri(path)} is damaged; what it was about stays. Delete it, then run the "
            "collector again"
        ) from error
