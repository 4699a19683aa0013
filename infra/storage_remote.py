"""memory:// and s3:// as stores: a flat set of keys behind an fsspec file system.

Errors are the clients' own; `Store` translates them.
"""

import errno
import math
import os
import threading
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infra.work import temporary_dir

PART_BYTES = 16 * 2**20
"""Size of an upload part; 4 at once bound the memory of an upload to some 130 MB."""
PARTS_AT_ONCE = 4
MOST_PARTS = 10_000
"""S3's limit: above 156 GB the parts grow."""
S3_TRIES = 4
"""Tries of one call. The only retry layer: botocore's own is switched off."""


class RemoteBackend:
    """What memory:// and s3:// share: a flat set of keys behind an fsspec file system."""

    _guard: AbstractContextManager[Any] = nullcontext()
    """Held around each call."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._built: tuple[int, Any] | None = None

    @property
    def _files(self) -> Any:
        """The file system, built on first use and again in a forked child (not fork-safe)."""
        if self._built is None or self._built[0] != os.getpid():
            self._built = (os.getpid(), self._build())
        return self._built[1]

    def _build(self) -> Any:
        raise NotImplementedError

    @cached_property
    def _base(self) -> str:
        return str(self._files._strip_protocol(self._root))

    def _key(self, path: str) -> str:
        return f"{self._base}/{path}" if path else self._base

    def read(self, path: str) -> bytes:
        """The bytes of an object."""
        with self._guard:
            return bytes(self._files.cat_file(self._key(path)))

    def write(self, path: str, data: bytes) -> None:
        """Replace an object in one step."""
        with self._guard:
            self._files.pipe_file(self._key(path), data)

    def create(self, path: str, data: bytes) -> bool:
        """Some stores say `exists`, some `invalid argument`: then what is there decides."""
        with self._guard:
            try:
                self._files.pipe_file(self._key(path), data, mode="create")
            except OSError as error:
                if not _may_be_taken(error) or not self._is_there(path):
                    raise
                return False
        return True

    def _is_there(self, path: str) -> bool:
        try:
            self.size(path)
        except FileNotFoundError:
            return False
        return True

    def size(self, path: str) -> int:
        """Bytes of an object; a common prefix of keys is no object."""
        with self._guard:
            info = self._files.info(self._key(path))
        if info["type"] != "file":
            raise FileNotFoundError(path)
        return int(info["size"])

    def list(self, folder: str) -> list[str]:
        """Keys below `folder`."""
        with self._guard:
            keys = self._files.find(self._key(folder))
        start = self._key(folder) + "/"
        return [key.removeprefix(self._base + "/") for key in keys if key.startswith(start)]

    def delete(self, path: str) -> None:
        """Remove an object."""
        with self._guard:
            self._files.rm_file(self._key(path))

    def put(self, local: Path, path: str) -> None:
        """Upload a file: in parts where it is large, seen by others when the last part is in."""
        options = self._upload_options(local.stat().st_size)
        with self._guard:
            self._files.put_file(str(local), self._key(path), **options)

    def _upload_options(self, size: int) -> dict[str, Any]:
        return {}

    def get(self, path: str, local: Path) -> None:
        """Download a file."""
        with self._guard:
            self._files.get_file(self._key(path), str(local))


def _may_be_taken(error: OSError) -> bool:
    return isinstance(error, FileExistsError) or error.errno in (
        errno.EINVAL,
        errno.EBUSY,
        errno.EIO,
    )


class MemoryBackend(RemoteBackend):
    """Objects in this process, for tests; all stores of a name are one."""

    _guard = threading.RLock()
    """One for the whole process: the file system itself knows no atomic create."""

    def _build(self) -> Any:
        from fsspec.implementations.memory import MemoryFileSystem

        return MemoryFileSystem()

    def delete(self, path: str) -> None:
        """Remove an object."""
        with self._guard:
            self._files._rm(self._key(path))


class S3Backend(RemoteBackend):
    """A bucket. Endpoint, region and credentials come from the AWS_* environment."""

    def read(self, path: str) -> bytes:
        """One GET by way of a file: `cat_file` asks for the size first and nests two retries."""
        with TemporaryDirectory(dir=temporary_dir()) as folder:
            local = Path(folder) / "object"
            self._files.get_file(self._key(path), str(local), max_concurrency=1)
            return local.read_bytes()

    def _upload_options(self, size: int) -> dict[str, Any]:
        part = max(PART_BYTES, math.ceil(size / MOST_PARTS))
        return {"chunksize": part, "max_concurrency": PARTS_AT_ONCE}

    def _build(self) -> Any:
        from s3fs import S3FileSystem
        from s3fs.core import set_custom_error_handler

        set_custom_error_handler(_server_fault)
        files = S3FileSystem(
            use_listings_cache=False,
            skip_instance_cache=True,
            default_block_size=PART_BYTES,
            max_concurrency=PARTS_AT_ONCE,
            config_kwargs={
                "retries": {"total_max_attempts": 1},
                "connect_timeout": 5,
                "read_timeout": 30,
            },
        )
        files.retries = S3_TRIES
        return files


def _server_fault(error: Exception) -> bool:
    """Whether a call is worth another try; s3fs itself only knows lost connections and SlowDown."""
    response = getattr(error, "response", None) or {}
    return response.get("ResponseMetadata", {}).get("HTTPStatusCode") in (429, 500, 502, 503, 504)
