"""What a kind of store has to do, and what it tells of its objects."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One object in a listing."""

    path: str
    """Relative to the root of the store."""
    size: int
    """Bytes."""
    modified: float
    """When it was written, by the store's clock (seconds since 1970)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """An upload that was begun and neither finished nor given up."""

    path: str
    """Where its object would be."""
    mark: str
    """The store's own name for it."""
    begun: float
    """When it was begun, by the store's clock (seconds since 1970)."""


class Backend(Protocol):
    """What a kind of store has to do; errors are its clients' own."""

    cached: bool
    """Whether local copies of its big objects are worth keeping."""

    def reached(self) -> str: ...  # noqa: D102
    def read(self, path: str) -> bytes: ...  # noqa: D102
    def write(self, path: str, data: bytes) -> None: ...  # noqa: D102
    def create(self, path: str, data: bytes) -> bool: ...  # noqa: D102
    def size(self, path: str) -> int: ...  # noqa: D102
    def list(self, folder: str) -> Iterator[Found]: ...  # noqa: D102
    def delete(self, path: str) -> None: ...  # noqa: D102
    def put(self, local: Path, path: str) -> str: ...  # noqa: D102
    def get(self, path: str, size: int, local: Path) -> str: ...  # noqa: D102
    def sha256(self, path: str, size: int) -> str: ...  # noqa: D102
    def uploads(self) -> Iterator[Upload]: ...  # noqa: D102
    def abort(self, upload: Upload) -> None: ...  # noqa: D102
