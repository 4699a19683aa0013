"""A local folder as a store: written beside, fsynced, then linked or renamed into place."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class LocalBackend:
    """A folder. Objects are written beside, fsynced and then linked or renamed into place."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)
        self._temporary = self._root / ".tmp"

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

    def list(self, folder: str) -> list[str]:
        """Files below `folder`, without unfinished ones."""
        found = []
        for parent, folders, names in os.walk(self._root / folder, onerror=_raise_unless_absent):
            if Path(parent) == self._root and self._temporary.name in folders:
                folders.remove(self._temporary.name)
            found += [(Path(parent) / name).relative_to(self._root).as_posix() for name in names]
        return found

    def delete(self, path: str) -> None:
        """Remove a file."""
        with _absent_if_no_file():
            (self._root / path).unlink()

    def put(self, local: Path, path: str) -> None:
        """Copy a file in."""
        with self._new_temporary() as temporary:
            shutil.copyfile(local, temporary)
            _sync(temporary)
            os.replace(temporary, self._target(path))
        _sync_folder(self._target(path).parent)

    def get(self, path: str, local: Path) -> None:
        """Copy a file out."""
        with _absent_if_no_file():
            shutil.copyfile(self._root / path, local)

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
