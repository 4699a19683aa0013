"""The bytes that stages are made of: sealed JSON and deterministic parquet."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from infra.cache import opened_file, read_file
from infra.storage import Store, StoredFile, sha256_of
from infra.table_files import Spool, TableFile, spooled
from tasks.canonical import canonical_json, digest
from tasks.errors import DamagedError, DataError, StorageError

FORMAT = 1
"""Number of the manifest's layout; a reader refuses what it does not know."""


def plain(value: Any, what: str) -> Any:
    """`value` as it will be read back from JSON; DataError if it is not plain data."""
    try:
        return json.loads(canonical_json(value))
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{what} hold something that is no plain data ({error}); allowed are text, finite "
            "numbers, booleans, None, lists and mappings with text keys"
        ) from error


def seal(body: dict[str, Any]) -> bytes:
    """`body` as canonical JSON together with its own digest, so that no part can change unseen."""
    sealed = {"format": FORMAT, **body}
    return (canonical_json({**sealed, "seal": digest(sealed)}) + "\n").encode()


def unseal(data: bytes, uri: str) -> dict[str, Any]:
    """What `seal` made `data` of; StorageError if it is truncated, changed or of another format."""
    try:
        body = json.loads(data)
        expected = body.pop("seal")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise _damaged(uri, f"truncated or no manifest ({len(data)} bytes)") from error
    if digest(body) != expected:
        raise _damaged(uri, "changed: its seal does not fit")
    if body["format"] != FORMAT:
        raise StorageError(
            f"{uri} has format {body['format']}, this version reads {FORMAT}. Use the version "
            "that wrote it, or redo the verb"
        )
    return dict(body)


def _damaged(uri: str, how: str) -> DamagedError:
    return DamagedError(
        f"{uri} is {how}. Restore the object from a copy, or redo the verb that made it"
    )


def read_sealed(store: Store, path: str) -> dict[str, Any]:
    """The sealed manifest at `path`; FileNotFoundError if there is none."""
    return unseal(store.read(path), store.uri(path))


def file_entry(folder: str, file: StoredFile) -> dict[str, Any]:
    """How a manifest in `folder` names `file`, which has to lie below it."""
    if not file.path.startswith(f"{folder}/"):
        raise DataError(f"{file.path} does not lie in its stage {folder}; use Stage.put_folder")
    return asdict(file) | {"path": file.path.removeprefix(f"{folder}/")}


def stored_file(folder: str, entry: Mapping[str, Any]) -> StoredFile:
    """The file behind an entry of a manifest in `folder`."""
    return StoredFile(path=f"{folder}/{entry['path']}", sha256=entry["sha256"], size=entry["size"])


def put_spool(store: Store, spool: Spool, folder: str, name: str) -> tuple[StoredFile, str | None]:
    """Put a finished `spool` as `folder/name-<digest of the bytes>.parquet`; with its content.

    Equal tables, equal bytes. The digest in the name keeps two writers of one stage from replacing
    each other's tables.
    """
    content = spool.close()
    mark = sha256_of(spool.path)[:16]
    return store.put_file(spool.path, f"{folder}/{name}-{mark}.parquet"), content


def put_table(store: Store, table: pa.Table, folder: str, name: str) -> StoredFile:
    """Put a `table` that is no record's, or was checked before, as `put_spool` does."""
    with spooled(None) as spool:
        spool.add(table)
        return put_spool(store, spool, folder, name)[0]


@contextmanager
def opened_table(store: Store, file: StoredFile) -> Iterator[TableFile]:
    """The table of `file`, verified, to be read in parts; StorageError if missing or changed."""
    with ExitStack() as stack:
        try:
            local = stack.enter_context(opened_file(store, file))
        except FileNotFoundError as error:
            raise _missing(store, file) from error
        yield TableFile(local)


def read_table(store: Store, file: StoredFile) -> pa.Table:
    """The table of `file`, its bytes verified; StorageError if it is missing or changed."""
    return pq.ParquetFile(pa.BufferReader(read_file(store, file))).read()


def _missing(store: Store, file: StoredFile) -> StorageError:
    return StorageError(
        f"{store.uri(file.path)} is missing though its manifest names it. Restore the object "
        "from a copy, or redo the verb that made it"
    )
