"""What a store's refusal means to a person: which operation, where, why, and what to do next."""

import errno
import re
from collections.abc import Callable

from tasks.errors import StorageError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DENIED = (errno.EACCES, errno.EPERM)
_NO_FOLDER = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR)
_AWAY = (TimeoutError, ConnectionError)


def failure(operation: str, uri: str, error: Exception) -> StorageError:
    """The StorageError that tells of `error`; secrets in addresses are masked."""
    cause = re.sub(r"//[^/@\s]*@", "//***@", f"{type(error).__name__}: {error}")
    return StorageError(f"{uri}: could not {operation}: {cause}. {_next_step(error)}")


def _next_step(error: Exception) -> str:
    return next(step for fits, step in _NEXT_STEPS if fits(error, getattr(error, "errno", None)))


_ELSEWHERE = "point storage.root or TSO_STORE elsewhere"
_NEXT_STEPS: list[tuple[Callable[[Exception, int | None], bool], str]] = [
    (
        lambda error, code: code in _FULL,
        "The disk is full: free space there, then start again: finished work is kept",
    ),
    (
        lambda error, code: code == errno.EROFS,
        f"It is read-only: mount it writable, or {_ELSEWHERE}",
    ),
    (
        lambda error, code: isinstance(error, PermissionError) or code in _DENIED,
        f"Give this user or these credentials the right to read and write, or {_ELSEWHERE}",
    ),
    (
        lambda error, code: isinstance(error, FileNotFoundError),
        f"Its bucket or disk does not exist: create it, or {_ELSEWHERE}",
    ),
    (
        lambda error, code: isinstance(error, FileExistsError) or code in _NO_FOLDER,
        f"A file lies where a folder has to be: move it away, or {_ELSEWHERE}",
    ),
    (
        lambda error, code: "Credentials" in type(error).__name__,
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    ),
    (
        lambda error, code: isinstance(error, _AWAY) or "Connect" in type(error).__name__,
        "It cannot be reached: check network and AWS_ENDPOINT_URL, then start again",
    ),
    (lambda error, code: True, "Check the store, then start again: finished work is kept"),
]
"""The first that fits an error and its errno; the last fits all."""
