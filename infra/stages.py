"""A stage is one piece of finished work in the store, found by what it was made of.

stages/<verb>/<aa>/<key digest>/manifest.json   last; names everything else; its existence is "done"
                                rows-<sha>.parquet, ...    tables, by their bytes
                                files/<name>-<sha>/...     folders such as weights
                                shards/00003.json, 00003-<sha>.parquet    parts, each complete
                                side.json                  cost, seconds, attempts: in no digest

Paid calls lie elsewhere, in journals that stages share (`infra/journal.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from infra.artifacts import MANIFEST, SIDE, Finished, open_artifact, read_stage
from infra.manifests import (
    file_entry,
    plain,
    put_table,
    read_sealed,
    read_table,
    seal,
    stored_file,
    unseal,
)
from infra.storage import Store, StoredFile, sha256_of
from tasks.canonical import digest
from tasks.errors import ConflictError, StorageError
from tasks.records import Artifact
from tasks.tables import check, content

__all__ = ["Finished", "Stage", "StageKey", "open_artifact"]

TableIn = tuple[type | None, pa.Table]
"""A record class and its table; None for a table whose schema is no record's."""


@dataclass(frozen=True, kw_only=True)
class StageKey:
    """Everything the outcome of a stage depends on; equal keys are the same work."""

    verb: str
    """Which verb, e.g. sample."""
    settings: Any
    """The verb's one settings object as plain data (`tasks.variants.settings_of`)."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Name of each input and its content digest."""
    seeds: Mapping[str, int] = field(default_factory=dict)
    """Seeds by name."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """Models by role and their digests."""
    semantics: Mapping[str, int] = field(default_factory=dict)
    """SEMANTICS numbers of the door and of its variants."""

    @cached_property
    def plain(self) -> dict[str, Any]:
        """The key as it stands in manifests; DataError if a part is not plain data."""
        parts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return dict(plain(parts, f"The key's parts of a {self.verb} stage"))

    @property
    def digest(self) -> str:
        """The sha256 of the canonical key, 64 hex digits."""
        return digest(self.plain)


class Stage:
    """The place of one piece of work; commits are kept first come, first served."""

    def __init__(self, store: Store, key: StageKey) -> None:
        self.store = store
        self.key = key
        self.digest = key.digest
        self.folder = f"stages/{key.verb}/{self.digest[:2]}/{self.digest}"
        self.uri = store.uri(f"{self.folder}/{MANIFEST}")

    def __repr__(self) -> str:
        return f"Stage({self.uri!r})"

    def finished(self) -> Finished | None:
        """The committed stage, None if there is none; StorageError if its manifest is damaged."""
        try:
            return read_stage(self.store, self.folder)
        except FileNotFoundError:
            return None

    def shards(self) -> list[int]:
        """Indices of the committed shards, ascending, by one listing."""
        names = (path.rpartition("/")[2] for path in self.store.list(f"{self.folder}/shards"))
        return sorted(int(name.removesuffix(".json")) for name in names if name.endswith(".json"))

    def has_shards(self, number: int) -> bool:
        """Whether all of so many shards are committed, by whichever process."""
        return len(self.shards()) >= number

    def shard(self, index: int) -> pa.Table | None:
        """The committed shard, None if there is none; StorageError if it is damaged."""
        manifest = self._shard_manifest(index)
        return manifest and read_table(self.store, stored_file(self.folder, manifest["table"]))

    def shard_counts(self, index: int) -> dict[str, int] | None:
        """The counts committed with the shard, None if there is none."""
        manifest = self._shard_manifest(index)
        return manifest and manifest["counts"]

    def _shard_manifest(self, index: int) -> dict[str, Any] | None:
        try:
            return read_sealed(self.store, self._shard_path(index))
        except FileNotFoundError:
            return None

    def _shard_path(self, index: int) -> str:
        return f"{self.folder}/shards/{index:05d}.json"

    def commit_shard(self, index: int, table: pa.Table, counts: Mapping[str, int]) -> None:
        """Commit a complete shard; if another process was first, its shard stays.

        Read it back with `shard` before using it.
        """
        if self._shard_manifest(index) is not None:
            return
        file = put_table(self.store, table, f"{self.folder}/shards", f"{index:05d}")
        body = {
            "table": file_entry(self.folder, file) | {"rows": table.num_rows},
            "counts": plain(counts, "counts of a shard"),
        }
        self.store.create(self._shard_path(index), seal(body))
        self._shard_manifest(index)

    def put_folder(self, name: str, local: Path) -> list[StoredFile]:
        """Put the files below `local` for `commit(files={name: ...})`; equal files, equal paths."""
        found = sorted(path for path in local.rglob("*") if path.is_file())
        mark = digest([[path.relative_to(local).as_posix(), sha256_of(path)] for path in found])
        return self.store.put_folder(local, f"{self.folder}/files/{name}-{mark[:16]}")

    def commit(
        self,
        *,
        tables: Mapping[str, TableIn],
        files: Mapping[str, Sequence[StoredFile]] | None = None,
        facts: Mapping[str, Any] | None = None,
        counts: Mapping[str, int] | None = None,
        volatile: Mapping[str, Any] | None = None,
        deterministic: bool = False,
    ) -> Artifact:
        """Finish the stage: tables and files first, the manifest last.

        If another process was first, its work is adopted; a difference is a ConflictError only
        where `deterministic`. `volatile` (cost, seconds, attempts, code version) goes to side.json.
        Raises DataError for a table that breaks its record.
        """
        body = {
            "key": self.key.plain,
            "tables": {name: self._put(name, *given) for name, given in tables.items()},
            "files": {name: self._placed(given) for name, given in (files or {}).items()},
            "facts": plain(facts or {}, f"facts of {self.uri}"),
            "counts": plain(counts or {}, f"counts of {self.uri}"),
        }
        body |= _summary(body)
        data = seal(body)
        won = self.store.create(f"{self.folder}/{MANIFEST}", data)
        finished = read_stage(self.store, self.folder)
        if won and volatile:
            side = {"volatile": plain(volatile, f"volatile facts of {self.uri}")}
            self.store.write(f"{self.folder}/{SIDE}", seal(side))
        if deterministic:
            _refuse_difference(unseal(data, self.uri), finished.manifest, self.uri)
        return finished.artifact

    def _put(self, name: str, record: type | None, table: pa.Table) -> dict[str, Any]:
        if record is not None:
            check(record, table)
        file = put_table(self.store, table, self.folder, name)
        return file_entry(self.folder, file) | {
            "rows": table.num_rows,
            "record": record and record.__name__,
            "content": content(record, table) if record else file.sha256,
        }

    def _placed(self, files: Sequence[StoredFile]) -> list[dict[str, Any]]:
        for file in files:
            if self.store.size(file.path) != file.size:
                raise StorageError(f"{self.store.uri(file.path)} has not its {file.size} bytes")
        return [file_entry(self.folder, file) for file in files]

    def clear(self) -> None:
        """Forget the work so that it is done again: the manifest goes first."""
        self.store.delete(f"{self.folder}/{MANIFEST}")
        rest = self.store.list(self.folder)
        for path in sorted(rest, key=lambda path: not path.endswith(".json")):
            self.store.delete(path)


def _outcome(body: Mapping[str, Any]) -> dict[str, Any]:
    """What was found out, without how it happens to lie in the store."""
    return {
        "tables": {name: entry["content"] for name, entry in body["tables"].items()},
        "files": {
            name: sorted(entry["sha256"] for entry in entries)
            for name, entries in body["files"].items()
        },
        "facts": body["facts"],
        "counts": body["counts"],
    }


def _summary(body: Mapping[str, Any]) -> dict[str, Any]:
    """Content and rows of the main table; of everything where there is none of a record."""
    rows = body["tables"].get("rows", {"rows": 0, "record": None})
    main = rows["content"] if rows["record"] else digest(_outcome(body))
    return {"content": main, "rows": rows["rows"]}


def _refuse_difference(ours: dict[str, Any], theirs: dict[str, Any], uri: str) -> None:
    mine, kept = _outcome(ours), _outcome(theirs)
    differing = [part for part in mine if mine[part] != kept[part]]
    if differing:
        raise ConflictError(
            f"{uri}: another process committed other {', '.join(differing)} for the same key, "
            "though this verb is deterministic. Its work stays; find out what differs between "
            "the two processes (code version, library versions), or redo the verb"
        )
