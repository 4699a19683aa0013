"""Which kinds of store there are, and how a root names one."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from infra.storage_local import LocalBackend
from infra.storage_remote import MemoryBackend, S3Backend
from tasks.errors import ConfigError


class Backend(Protocol):
    """What a kind of store has to do."""

    def read(self, path: str) -> bytes: ...  # noqa: D102
    def write(self, path: str, data: bytes) -> None: ...  # noqa: D102
    def create(self, path: str, data: bytes) -> bool: ...  # noqa: D102
    def size(self, path: str) -> int: ...  # noqa: D102
    def list(self, folder: str) -> list[str]: ...  # noqa: D102
    def delete(self, path: str) -> None: ...  # noqa: D102
    def put(self, local: Path, path: str) -> None: ...  # noqa: D102
    def get(self, path: str, local: Path) -> None: ...  # noqa: D102


_KINDS: dict[str, Callable[[str], Backend]] = {
    "file": LocalBackend,
    "memory": MemoryBackend,
    "s3": S3Backend,
}
_FORMS = "a local path, file:///path, memory://name or s3://bucket/prefix"


def backend_of(root: str) -> tuple[str, Backend]:
    """`root` in its one written form, and what stores there; ConfigError if it names no store.

    Credentials belong into the environment: a root that may hold one is refused, not repeated.
    """
    scheme, separator, rest = root.partition("://")
    if not separator:
        scheme, rest = "file", str(Path(root).expanduser().absolute()) if root else ""
    rest = rest.rstrip("/")
    if scheme != "file" and any(mark in rest for mark in "@?#"):
        raise ConfigError(
            f"storage.root ({scheme}://…) holds one of @ ? # (a secret?); it has to be {_FORMS}. "
            "Put credentials and endpoint into AWS_* environment variables or a profile"
        )
    if scheme not in _KINDS:
        raise ConfigError(f"storage.root has the scheme {scheme!r}; it has to be {_FORMS}")
    if not rest or (scheme == "file" and not rest.startswith("/")):
        raise ConfigError(f"storage.root is {root!r}; it has to be {_FORMS}")
    return f"{scheme}://{rest}", _KINDS[scheme](rest)
