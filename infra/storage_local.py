"""A local folder as a store: written beside, fsynced, then linked or renamed into place."""

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.storage_objects import Found, Upload

CHUNK_BYTES = 2**20


class LocalBackend:
    """A folder. Objects are written beside, fsynced and then linked or renamed into place."""

    cached = False

    def __init__(self, root: str) -> None:
        self._root = Path(root)
        self._temporary = self._root / ".tmp"

    def reached(self) -> str:
        """There is nothing to say."""
        return ""

    def read(self, path: str) -> bytes:
        """The bytes of a file."""
        with _absent_if_no_file():
            return (self._root / path).read_bytes()

    def write(self, path: str, data: bytes) -> None:
        """Replace a file in one step."""
        with self._written(data) as temporary:
            os.replace(temporary, self._target(path))
        _sync_folder(self._target(path).parent)

    def create(self, path: str, data: bytes) -> bool:
        """A hard link fails if the name is taken, so there is one winner and no torn file."""
        target = self._target(path)
        with self._written(data) as temporary:
            try:
                os.link(temporary, target)
            except FileExistsError:
                return False
        _sync_folder(target.parent)
        return True

    def size(self, path: str) -> int:
        """Bytes of a file; a folder is no object."""
        with _absent_if_no_file():
            if (self._root / path).is_dir():
                raise FileNotFoundError(path)
            return (self._root / path).stat().st_size

    def list(self, folder: str) -> Iterator[Found]:
        """Files below `folder`, without unfinished ones."""
        for parent, folders, names in os.walk(self._root / folder, onerror=_raise_unless_absent):
            if Path(parent) == self._root and self._temporary.name in folders:
                folders.remove(self._temporary.name)
            yield from (one for name in names if (one := self._found(Path(parent, name))))

    def _found(self, file: Path) -> Found | None:
        """None if it was removed while its folder was listed."""
        try:
            facts = file.stat()
        except FileNotFoundError:
            return None
        path = file.relative_to(self._root).as_posix()
        return Found(path=path, size=facts.st_size, modified=facts.st_mtime)

    def delete(self, path: str) -> None:
        """Remove a file."""
        with _absent_if_no_file():
            (self._root / path).unlink()

    def put(self, local: Path, path: str) -> str:
        """Copy a file in; the sha256 of what was copied."""
        with self._new_temporary() as temporary:
            sha256 = _copied(local, temporary)
            _sync(temporary)
            os.replace(temporary, self._target(path))
        _sync_folder(self._target(path).parent)
        return sha256

    def get(self, path: str, size: int, local: Path) -> str:
        """Copy a file out; the sha256 of what was copied."""
        with _absent_if_no_file():
            return _copied(self._root / path, local)

    def sha256(self, path: str, size: int) -> str:
        """Of a file's bytes."""
        with _absent_if_no_file(), (self._root / path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def uploads(self) -> Iterator[Upload]:
        """Files that killed processes were about to put into place."""
        for file in self._temporary.glob("*"):
            yield Upload(
                path=f"{self._temporary.name}/{file.name}",
                mark=file.name,
                begun=file.stat().st_mtime,
            )

    def abort(self, upload: Upload) -> None:
        """Remove such a file."""
        (self._temporary / upload.mark).unlink(missing_ok=True)

    def _target(self, path: str) -> Path:
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    @contextmanager
    def _written(self, data: bytes) -> Iterator[Path]:
        with self._new_temporary() as temporary:
            temporary.write_bytes(data)
            _sync(temporary)
            yield temporary

    @contextmanager
    def _new_temporary(self) -> Iterator[Path]:
        self._temporary.mkdir(parents=True, exist_ok=True)
        temporary = self._temporary / uuid.uuid4().hex
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)


def _copied(source: Path, target: Path) -> str:
    """Copy a file; the sha256 of the bytes that were copied."""
    digest = hashlib.sha256()
    with source.open("rb") as given, target.open("wb") as written:
        while data := given.read(CHUNK_BYTES):
            digest.update(data)
            written.write(data)
    return digest.hexdigest()


@contextmanager
def _absent_if_no_file() -> Iterator[None]:
    """A folder, or a file used as a folder, means absent: as on stores that know no folders."""
    try:
        yield
    except (IsADirectoryError, NotADirectoryError) as error:
        raise FileNotFoundError(str(error)) from error


def _raise_unless_absent(error: OSError) -> None:
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_sync_folder = _sync
"""A name survives a power cut only when its folder is synced too."""
