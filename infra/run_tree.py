"""The tree `runs/<run>/`: what a run is, who works on it, and what its rounds have done.

Pointers in it are a view for people; whether a stage is done is told by the stage itself.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from infra.storage import Store
from tasks.errors import ConfigError

REPORT = "report.html"
"""A round's report, in the round's folder."""
POINTERS, REDO = "stages", "redo"
"""Folder of a round's pointers to stages, and what they hold besides where verbs were redone."""
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class RunTree:
    """One run's part of a store."""

    def __init__(self, store: Store, run: str) -> None:
        """Refuse a name that could not stand in a path or a Prefect name."""
        if not NAME.fullmatch(run):
            raise ConfigError(
                f"run name {run!r}: use 1 to 63 of a-z, 0-9, dot, dash and underscore, "
                "beginning with a letter or digit"
            )
        self.store = store
        self.folder = f"runs/{run}"

    def round_folder(self, round_index: int) -> str:
        """Folder of one round, e.g. runs/demo/rounds/00003."""
        return f"{self.folder}/rounds/{round_index:05d}"

    def read(self, name: str) -> dict[str, Any] | None:
        """The JSON object at `name` below the run, or None."""
        try:
            value: dict[str, Any] = json.loads(self.store.read(f"{self.folder}/{name}"))
        except FileNotFoundError:
            return None
        return value

    def write(self, name: str, value: Mapping[str, Any]) -> None:
        """Replace the JSON object at `name` below the run."""
        self.store.write(f"{self.folder}/{name}", _bytes(value))

    def create(self, name: str, value: Mapping[str, Any]) -> dict[str, Any]:
        """Write the JSON object at `name` unless there is one; what stands there is returned."""
        self.store.create(f"{self.folder}/{name}", _bytes(value))
        found = self.read(name)
        if found is None:
            raise FileNotFoundError(f"{self.folder}/{name} vanished while it was being created")
        return found

    def read_round(self, round_index: int, name: str) -> dict[str, Any] | None:
        """The JSON object `name` of one round, or None."""
        return self.read(f"rounds/{round_index:05d}/{name}")

    def write_round(self, round_index: int, name: str, value: Mapping[str, Any]) -> None:
        """Replace the JSON object `name` of one round."""
        self.write(f"rounds/{round_index:05d}/{name}", value)

    def pointer(
        self, round_index: int, role: str, redo: Mapping[str, int] | None = None
    ) -> dict[str, Any] | None:
        """Where the stage of this role lies that a round has noted, or None: uri, content, rows.

        With `redo`, None as well for one that was noted before verbs were redone so: settings may
        have changed with that, and the round may have no such stage any more.
        """
        found = self.read_round(round_index, f"{POINTERS}/{role}.json")
        if not found or (redo is not None and found.get(REDO, {}) != redo):
            return None
        return {name: value for name, value in found.items() if name != REDO}

    def point(
        self, round_index: int, role: str, pointer: Mapping[str, Any], redo: Mapping[str, int]
    ) -> None:
        """Note where the stage of this role lies, and which verbs had been redone by then."""
        noted = {**pointer, **({REDO: dict(redo)} if redo else {})}
        self.write_round(round_index, f"{POINTERS}/{role}.json", noted)

    def roles_done(self, round_index: int) -> list[str]:
        """What is finished of one round, e.g. sample-train-policy; sorted."""
        paths = self.store.list(f"{self.round_folder(round_index)}/{POINTERS}")
        return sorted(path.rpartition("/")[2].removesuffix(".json") for path in paths)

    def manifests(self) -> list[dict[str, Any]]:
        """Manifests of the committed rounds in order; the first gap ends the list."""
        found: list[dict[str, Any]] = []
        while manifest := self.read_round(len(found), "manifest.json"):
            found.append(manifest)
        return found

    def decisions(self) -> dict[int, list[dict[str, Any]]]:
        """What people decided after each committed round, the first word first."""
        return {index: self._decisions(index) for index in range(len(self.manifests()))}

    def _decisions(self, round_index: int) -> list[dict[str, Any]]:
        paths = sorted(self.store.list(f"{self.round_folder(round_index)}/decisions"))
        return [json.loads(self.store.read(path)) for path in paths]

    def add_decision(self, round_index: int, decision: Mapping[str, Any]) -> None:
        """Write a decision down beside its round; those before it stay."""
        number = len(self._decisions(round_index)) + 1
        name = f"rounds/{round_index:05d}/decisions/{number:04d}.json"
        if self.create(name, decision) != decision:
            self.add_decision(round_index, decision)

    def claims(self) -> list[dict[str, Any]]:
        """All claims of the run."""
        names = self.store.list(f"{self.folder}/claims")
        return [json.loads(self.store.read(name)) for name in names]


def _bytes(value: Mapping[str, Any]) -> bytes:
    """As JSON, in the order of `value`: cells and judges keep the order they were written in."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
