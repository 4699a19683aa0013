"""Which kinds of store there are, and how a root names one."""

from dataclasses import replace
from pathlib import Path

from infra.storage_local import LocalBackend
from infra.storage_memory import MemoryBackend
from infra.storage_objects import Backend
from infra.storage_s3 import S3Backend
from tasks.errors import ConfigError
from tasks.storage_settings import StorageSettings

_SCHEMES = ("file", "memory", "s3")
_FORMS = "a local path, file:///path, memory://name or s3://bucket/prefix"


def backend_of(settings: StorageSettings) -> tuple[StorageSettings, Backend]:
    """`settings` with the root in its one written form, and what stores there.

    ConfigError if the root names no store. A root that may hold a secret is refused, not repeated.
    """
    scheme, separator, rest = settings.root.partition("://")
    if not separator:
        root = settings.root
        scheme, rest = "file", str(Path(root).expanduser().absolute()) if root else ""
    rest = rest.rstrip("/")
    if scheme != "file" and any(mark in rest for mark in "@?#"):
        raise ConfigError(
            f"storage.root ({scheme}://…) holds one of @ ? # (a secret?); it has to be {_FORMS}. "
            "Put credentials into AWS_* environment variables, a profile or a Prefect block"
        )
    if scheme not in _SCHEMES:
        raise ConfigError(f"storage.root has the scheme {scheme!r}; it has to be {_FORMS}")
    if not rest or (scheme == "file" and not rest.startswith("/")):
        raise ConfigError(f"storage.root is {settings.root!r}; it has to be {_FORMS}")
    settled = replace(settings, root=f"{scheme}://{rest}")
    if scheme == "s3":
        return settled, S3Backend(settled)
    return settled, LocalBackend(rest) if scheme == "file" else MemoryBackend(rest)
