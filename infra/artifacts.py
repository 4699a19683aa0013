"""Reading finished stages: their manifest, their tables and files, verified as they are read."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from infra.manifests import opened_table, read_sealed, read_table, stored_file
from infra.storage import Store, StoredFile
from infra.table_files import TableFile
from tasks.canonical import digest
from tasks.errors import DataError, StorageError
from tasks.records import Artifact

MANIFEST = "manifest.json"
SIDE = "side.json"


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A committed stage; its bytes are verified as they are read."""

    store: Store
    """Where it lies."""
    folder: str
    """Of the stage, relative to the store."""
    manifest: dict[str, Any]
    """As read, seal checked."""

    @property
    def artifact(self) -> Artifact:
        """The reference that tasks hand on."""
        uri = self.store.uri(f"{self.folder}/{MANIFEST}")
        return Artifact(uri=uri, content=self.manifest["content"], rows=self.manifest["rows"])

    @property
    def facts(self) -> dict[str, Any]:
        """What the verb found out beside tables."""
        return dict(self.manifest["facts"])

    @property
    def counts(self) -> dict[str, int]:
        """How many of what, with reasons."""
        return dict(self.manifest["counts"])

    def table(self, name: str = "rows") -> pa.Table:
        """The table `name`; DataError if the stage has none, StorageError if it is damaged."""
        entry = self._entry("tables", name)
        return read_table(self.store, stored_file(self.folder, entry))

    def opened(self, name: str = "rows") -> AbstractContextManager[TableFile]:
        """The table `name`, to be read in parts; errors as `table`."""
        return opened_table(self.store, stored_file(self.folder, self._entry("tables", name)))

    def files(self, name: str) -> list[StoredFile]:
        """The files put under `name`, for `Store.get_folder`."""
        return [stored_file(self.folder, entry) for entry in self._entry("files", name)]

    def _entry(self, kind: str, name: str) -> Any:
        entries = self.manifest[kind]
        if name not in entries:
            known = ", ".join(sorted(entries)) or "none"
            raise DataError(f"{self.artifact.uri} has no {kind} {name!r}; it has: {known}")
        return entries[name]

    def side(self) -> dict[str, Any]:
        """Cost, seconds and the like of the attempt that committed; empty if it died just then."""
        try:
            return dict(read_sealed(self.store, f"{self.folder}/{SIDE}")["volatile"])
        except FileNotFoundError:
            return {}


def open_artifact(store: Store, artifact: Artifact) -> Finished:
    """The stage behind `artifact`, also after its store moved to another root.

    Raises StorageError if it is missing, damaged, or was redone with another outcome.
    """
    _, found, tail = artifact.uri.rpartition("/stages/")
    folder = f"stages/{tail.removesuffix('/' + MANIFEST)}"
    if not found or not tail.endswith(f"/{MANIFEST}"):
        raise DataError(f"{artifact.uri} is no stage; it has to end in stages/…/{MANIFEST}")
    try:
        finished = read_stage(store, folder)
    except FileNotFoundError as error:
        raise StorageError(
            f"{store.uri(folder)} is not finished or was removed (looked up for {artifact.uri}). "
            "Run the round again: what is there is kept"
        ) from error
    if finished.manifest["content"] != artifact.content:
        raise StorageError(
            f"{store.uri(folder)} was redone with another outcome: content "
            f"{finished.manifest['content'][:16]}…, expected {artifact.content[:16]}…. "
            "Redo the verbs that follow it"
        )
    return finished


def read_stage(store: Store, folder: str) -> Finished:
    """The committed stage in `folder`; FileNotFoundError if there is none."""
    manifest = read_sealed(store, f"{folder}/{MANIFEST}")
    if digest(manifest["key"]) != folder.rpartition("/")[2]:
        raise StorageError(
            f"{store.uri(folder)} holds the manifest of another stage; redo the verb that made it"
        )
    return Finished(store=store, folder=folder, manifest=manifest)
