"""The bytes that stages are made of: sealed JSON and deterministic parquet."""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from infra.cache import read_file
from infra.storage import Store, StoredFile, sha256_of
from infra.storage_failures import failure
from infra.work import temporary_dir
from tasks.canonical import canonical_json, digest
from tasks.errors import DamagedError, DataError, StorageError

FORMAT = 1
"""Number of the manifest's layout; a reader refuses what it does not know."""
ROW_GROUP = 65_536
"""Rows of a parquet row group."""


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


def put_table(store: Store, table: pa.Table, folder: str, name: str) -> StoredFile:
    """Put `table` as `folder/name-<digest of the bytes>.parquet`; equal tables, equal bytes.

    The digest in the name keeps two writers of one stage from replacing each other's tables.
    """
    with _written(table) as local:
        return store.put_file(local, f"{folder}/{name}-{sha256_of(local)[:16]}.parquet")


@contextmanager
def _written(table: pa.Table) -> Iterator[Path]:
    local = temporary_dir() / f"{uuid.uuid4().hex}.parquet"
    # One chunk and no metadata: how a table was put together must not show in its bytes.
    whole = table.combine_chunks().replace_schema_metadata(None)
    try:
        try:
            pq.write_table(whole, local, compression="zstd", row_group_size=ROW_GROUP)
        except OSError as error:
            raise failure("write a temporary file", str(local), error) from error
        yield local
    finally:
        local.unlink(missing_ok=True)


def read_table(store: Store, file: StoredFile) -> pa.Table:
    """The table of `file`, its bytes verified; StorageError if it is missing or changed."""
    return pq.ParquetFile(pa.BufferReader(read_file(store, file))).read()
