"""The store: whole objects under one root, the same on file://, memory:// and s3://.

Nothing else in the project touches a store. Objects appear whole or not at all; `create` has one
winner; every file carries its sha256 from `put_file` to `get_file`.
"""

import hashlib
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from infra.storage_failures import failure
from infra.storage_kinds import backend_of
from infra.storage_objects import Backend, Found, Upload
from infra.work import temporary_dir
from tasks.errors import DamagedError, DataError, StorageError, TSOError
from tasks.storage_settings import StorageSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFile:
    """One object of a store and what its bytes have to be."""

    path: str
    """Relative to the root of the store."""
    sha256: str
    """Of the bytes, 64 hex digits."""
    size: int
    """Bytes."""


Files = list[StoredFile]
"""What a folder became."""
Entries = list[Found]
Uploads = list[Upload]


class Store:
    """Whole objects by their path relative to `root`; safe to share between threads and to fork.

    Every method raises StorageError, naming uri, operation, cause and next step, when the store
    refuses; reading what is absent raises FileNotFoundError.
    """

    def __init__(self, settings: StorageSettings, backend: Backend) -> None:
        self.settings = settings
        self.root = settings.root
        self._backend = backend

    def __repr__(self) -> str:
        return f"Store({self.root!r})"

    def __reduce__(self) -> "tuple[Callable[[StorageSettings], Store], tuple[StorageSettings]]":
        return open_store, (self.settings,)

    @property
    def reached(self) -> str:
        """How it is reached, in words that follow its root; empty where there is nothing to say."""
        return self._backend.reached()

    @property
    def cached(self) -> bool:
        """Whether local copies of its big objects are worth keeping."""
        return self._backend.cached

    def uri(self, path: str) -> str:
        """The full address of `path`."""
        return f"{self.root}/{path}" if path else self.root

    def read(self, path: str) -> bytes:
        """The bytes of `path`; FileNotFoundError if absent."""
        with self._reading("read", path):
            return self._backend.read(checked_path(path))

    def write(self, path: str, data: bytes) -> None:
        """Put `data` at `path`, replacing what is there; readers see the old or the new whole."""
        with self._writing("write", path, len(data)):
            self._backend.write(checked_path(path), data)

    def create(self, path: str, data: bytes) -> bool:
        """Put `data` at `path` unless something is there; False if something is.

        True has exactly one winner. After False read `path` again: where an answer of the
        network was lost, what is there may be this call's own bytes.
        """
        with self._writing("create", path, len(data)):
            return self._backend.create(checked_path(path), data)

    def exists(self, path: str) -> bool:
        """Whether there is an object at `path`; a fault of the store is never taken for no."""
        try:
            self.size(path)
        except FileNotFoundError:
            return False
        return True

    def size(self, path: str) -> int:
        """Bytes of the object at `path`; FileNotFoundError if absent."""
        with self._reading("look at", path):
            return self._backend.size(checked_path(path))

    def list(self, prefix: str = "") -> list[str]:
        """Paths of all objects in the folder `prefix` and below, sorted; empty if there are none.

        The store is asked each time: nothing is cached.
        """
        return [one.path for one in self.entries(prefix)]

    def entries(self, prefix: str = "") -> Entries:
        """As `list`, with sizes and the times of writing."""
        folder = prefix.rstrip("/")
        with self._writing("list", folder):
            found = self._backend.list(checked_path(folder) if folder else "")
            return sorted(found, key=lambda one: one.path)

    def delete(self, path: str) -> None:
        """Remove the object at `path`; it is no error if there is none."""
        with self._writing("delete", path), suppress(FileNotFoundError):
            self._backend.delete(checked_path(path))

    def put_file(self, local: Path, path: str) -> StoredFile:
        """Copy the file `local` to `path` and verify its size there."""
        with self._writing("put", path, local.stat().st_size):
            sha256 = self._backend.put(local, checked_path(path))
            file = StoredFile(path=path, sha256=sha256, size=local.stat().st_size)
            self._verify_size(file)
        return file

    def _verify_size(self, file: StoredFile) -> None:
        size = self._backend.size(file.path)
        if size != file.size:
            raise StorageError(
                f"{self.uri(file.path)}: {size} bytes arrived of {file.size}. Start again: "
                "finished work is kept; if it happens again, check the store's health"
            )

    def get_file(self, file: StoredFile, local: Path) -> None:
        """Copy `file` to `local`, which appears only when its sha256 is verified."""
        local.parent.mkdir(parents=True, exist_ok=True)
        temporary = local.with_name(f".{local.name}.{uuid.uuid4().hex}")
        try:
            with self._reading(f"get to {local}", file.path):
                sha256 = self._backend.get(checked_path(file.path), file.size, temporary)
            self.verify(file, sha256)
            os.replace(temporary, local)
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def at_hand(self, file: StoredFile) -> Iterator[Path]:
        """A local file with the verified bytes of `file`, within the block; not to be changed.

        Of a store that is a folder of this machine it is the object itself, else a copy.
        """
        scheme, _, folder = self.root.partition("://")
        if scheme == "file":
            with self._reading("read", file.path):
                self.verify(file, sha256_of(Path(folder) / checked_path(file.path)))
            yield Path(folder) / file.path
            return
        local = temporary_dir() / f"{uuid.uuid4().hex}-{Path(file.path).name}"
        try:
            self.get_file(file, local)
            yield local
        finally:
            local.unlink(missing_ok=True)

    def verify(self, file: StoredFile, sha256: str) -> None:
        """Raise StorageError unless `sha256` is what `file` has to have."""
        if sha256 != file.sha256:
            raise DamagedError(
                f"{self.uri(file.path)}: the bytes changed since they were written: sha256 "
                f"{sha256[:16]}…, expected {file.sha256[:16]}…. Restore the object from a copy, "
                "or redo the verb that made it"
            )

    def read_file(self, file: StoredFile) -> bytes:
        """The bytes of `file`, verified; StorageError if they are missing or changed."""
        try:
            data = self.read(file.path)
        except FileNotFoundError as error:
            raise StorageError(
                f"{self.uri(file.path)} is missing though its manifest names it. Restore the "
                "object from a copy, or redo the verb that made it"
            ) from error
        self.verify(file, hashlib.sha256(data).hexdigest())
        return data

    def check_file(self, file: StoredFile) -> None:
        """Read `file` and keep nothing: DamagedError or FileNotFoundError if it is not right."""
        with self._reading("read", file.path):
            sha256 = self._backend.sha256(checked_path(file.path), file.size)
        self.verify(file, sha256)

    def uploads(self) -> Uploads:
        """Uploads that were begun and neither finished nor given up, the oldest first."""
        with self._writing("list the uploads of", ""):
            return sorted(self._backend.uploads(), key=lambda one: one.begun)

    def abort(self, upload: Upload) -> None:
        """Give an upload up; it is no error if it is over."""
        with self._writing("give up an upload to", upload.path), suppress(FileNotFoundError):
            self._backend.abort(upload)

    def put_folder(self, local: Path, prefix: str) -> Files:
        """Copy all files below `local` to `prefix`, keeping their relative paths; sorted."""
        files = sorted(path for path in local.rglob("*") if path.is_file())
        return [
            self.put_file(path, f"{prefix}/{path.relative_to(local).as_posix()}") for path in files
        ]

    def get_folder(self, files: Iterable[StoredFile], prefix: str, local: Path) -> None:
        """Copy `files`, which lie below `prefix`, into the folder `local`.

        A file that is there with the right sha256 is not copied again; others are left alone.
        """
        for file in files:
            if not file.path.startswith(f"{prefix}/"):
                raise DataError(f"{file.path} does not lie below {prefix}")
            target = local / file.path.removeprefix(f"{prefix}/")
            if not _is_there(file, target):
                self.get_file(file, target)

    def probe(self) -> None:
        """Write, read, create twice and delete a random key.

        Raises StorageError that says whether the store is read-only, full, unreachable or keeps
        no create-only promise, with the next step.
        """
        path, data = f".probe/{uuid.uuid4().hex}", uuid.uuid4().bytes
        try:
            self.write(f"{path}-w", data)
            if self.read(f"{path}-w") != data:
                raise StorageError(f"{self.root}: what was written is not what is read; {_OTHER}")
            first = self.create(path, data) or self.read(path) == data
            if not first or self.create(path, b"second"):
                raise StorageError(
                    f"{self.root}: create-only is not kept (a second writer of a new key won), "
                    f"so two flow runs could both commit a stage; {_OTHER}"
                )
        finally:
            with suppress(StorageError):
                self.delete(f"{path}-w")
                self.delete(path)

    @contextmanager
    def _reading(self, operation: str, path: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{self.uri(path)}: there is no such object") from error
        except TSOError:
            raise
        except Exception as error:
            raise failure(operation, self.uri(path), error) from error

    @contextmanager
    def _writing(self, operation: str, path: str, size: int = 0) -> Iterator[None]:
        try:
            yield
        except TSOError:
            raise
        except Exception as error:
            raise failure(operation, self.uri(path), error, size) from error


_OTHER = (
    "use a store with conditional writes (If-None-Match), or a local folder on a file system "
    "with hard links, as storage.root or TSO_STORE"
)


def checked_path(path: str) -> str:
    """`path` if it is relative and stays below the root, else DataError."""
    if not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise DataError(
            f"{path!r} is no path in a store: it has to be relative, like runs/a/claim.json, "
            "without empty parts, '.' or '..'"
        )
    return path


def sha256_of(local: Path) -> str:
    """The sha256 of the bytes of a local file, 64 hex digits."""
    with local.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_there(file: StoredFile, local: Path) -> bool:
    return local.is_file() and local.stat().st_size == file.size and sha256_of(local) == file.sha256


def open_store(where: StorageSettings | str) -> Store:
    """The store at a root: a local path, file:///path, memory://name or s3://bucket/prefix.

    A root alone is reached as variables say. Opens no connection and creates nothing. Raises
    ConfigError for any other form.
    """
    settings = StorageSettings(root=where) if isinstance(where, str) else where
    return Store(*backend_of(settings))
