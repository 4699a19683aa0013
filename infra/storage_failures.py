"""What a store's refusal means to a person: which operation, where, why, and what to do next."""

import errno
import re
from collections.abc import Callable

from tasks.errors import StorageError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DENIED = (errno.EACCES, errno.EPERM)
_NO_FOLDER = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR)
_AWAY = (TimeoutError, ConnectionError)

_KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile or the Prefect block"
_CODES = {
    "InvalidAccessKeyId": f"The access key is not known there: check {_KEYS}",
    "SignatureDoesNotMatch": f"The secret key is wrong: check {_KEYS}",
    "ExpiredToken": f"The keys have expired: renew {_KEYS}, then start again",
    "InvalidToken": f"The session token is not valid: renew {_KEYS}",
    "NoSuchBucket": "Its bucket does not exist: create it, or correct storage.root or TSO_STORE",
    "InvalidBucketName": "No bucket can have that name: correct storage.root or TSO_STORE",
    "AuthorizationHeaderMalformed": "Is it in another region? Set storage.region to the bucket's",
    "PermanentRedirect": "It is in another region: set storage.region to the bucket's",
    "IllegalLocationConstraintException": "It is in another region: set storage.region",
    "RequestTimeTooSkewed": "The clock of this machine is wrong: set it, then start again",
    "QuotaExceeded": "Its quota is used up: raise it or free space, then start again",
}
"""Next steps by S3's own name for what went wrong."""
_CLIENT = {
    "ProfileNotFound": "Add it to ~/.aws/config, or correct storage.profile or AWS_PROFILE",
    "NoCredentialsError": f"No keys were found: set {_KEYS} (storage.profile, storage.credentials)",
    "PartialCredentialsError": f"One of the two keys is missing: set both of {_KEYS}",
    "NoRegionError": "Set storage.region or AWS_DEFAULT_REGION",
    "SSLError": "The certificate is not trusted: set storage.ca_bundle to the file that vouches",
    "ProxyConnectionError": "The proxy does not answer: check storage.proxy or HTTPS_PROXY",
    "EndpointConnectionError": (
        "It cannot be reached: check network and storage.endpoint or AWS_ENDPOINT_URL, then start "
        "again"
    ),
}
"""Next steps by the name of the client's error."""


def failure(operation: str, uri: str, error: Exception, needed: int = 0) -> StorageError:
    """The StorageError that tells of `error`; secrets in addresses are masked.

    `needed` is how many bytes were to be written, where that is known.
    """
    cause = re.sub(r"//[^/@\s]*@", "//***@", f"{type(error).__name__}: {error}")
    step = _next_step(error)
    if needed and getattr(error, "errno", None) in _FULL:
        step = step.replace("free space there", f"free space there (this takes {needed:,} bytes)")
    return StorageError(f"{uri}: could not {operation}: {cause}. {step}")


def _next_step(error: Exception) -> str:
    named = _CODES.get(error_code(error)) or _CLIENT.get(type(error).__name__)
    if named is not None:
        return named
    return next(step for fits, step in _NEXT_STEPS if fits(error, getattr(error, "errno", None)))


def error_code(error: BaseException) -> str:
    """S3's own name for what went wrong, or nothing."""
    told = getattr(error.__cause__ or error, "response", None) or {}
    return str(told.get("Error", {}).get("Code", ""))


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
        lambda error, code: isinstance(error, _AWAY) or "Connect" in type(error).__name__,
        "It cannot be reached: check network and AWS_ENDPOINT_URL, then start again",
    ),
    (lambda error, code: True, "Check the store, then start again: finished work is kept"),
]
"""The first that fits an error and its errno; the last fits all."""
