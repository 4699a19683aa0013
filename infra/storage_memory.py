"""memory:// as a store: objects in this process, for tests."""

import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.storage_objects import Found, Upload


@dataclass(frozen=True, slots=True)
class _Object:
    data: bytes
    modified: float


class MemoryBackend:
    """All stores of a name are one; a process forked later has a copy."""

    cached = False
    _stores: dict[str, dict[str, _Object]] = {}  # noqa: RUF012 - shared on purpose
    _guard = threading.RLock()

    def __init__(self, name: str) -> None:
        self._objects = self._stores.setdefault(name, {})

    def reached(self) -> str:
        """There is nothing to say."""
        return ""

    def read(self, path: str) -> bytes:
        """The bytes of an object."""
        with self._guard:
            if path not in self._objects:
                raise FileNotFoundError(path)
            return self._objects[path].data

    def write(self, path: str, data: bytes) -> None:
        """Replace an object in one step."""
        with self._guard:
            if any(path.startswith(f"{other}/") for other in self._objects):
                raise FileExistsError(path)
            self._objects[path] = _Object(data, time.time())

    def create(self, path: str, data: bytes) -> bool:
        """Write unless there is an object."""
        with self._guard:
            if path in self._objects:
                return False
            self.write(path, data)
            return True

    def size(self, path: str) -> int:
        """Bytes of an object."""
        return len(self.read(path))

    def list(self, folder: str) -> Iterator[Found]:
        """Objects below `folder`."""
        start = f"{folder}/" if folder else ""
        with self._guard:
            return iter(
                [
                    Found(path=path, size=len(one.data), modified=one.modified)
                    for path, one in self._objects.items()
                    if path.startswith(start)
                ]
            )

    def delete(self, path: str) -> None:
        """Remove an object."""
        with self._guard:
            self._objects.pop(path, None)

    def put(self, local: Path, path: str) -> str:
        """Copy a file in; the sha256 of what arrived."""
        data = local.read_bytes()
        self.write(path, data)
        return hashlib.sha256(data).hexdigest()

    def get(self, path: str, size: int, local: Path) -> str:
        """Copy a file out; the sha256 of what came."""
        data = self.read(path)
        local.write_bytes(data)
        return hashlib.sha256(data).hexdigest()

    def sha256(self, path: str, size: int) -> str:
        """Of an object's bytes."""
        return hashlib.sha256(self.read(path)).hexdigest()

    def uploads(self) -> Iterator[Upload]:
        """Nothing arrives in parts."""
        return iter(())

    def abort(self, upload: Upload) -> None:
        """Nothing arrives in parts."""
