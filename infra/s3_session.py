"""Connections to S3: one for all stores that are reached in the same way, in each process.

To set one up costs half a second of CPU time, and stores are opened for every stage.
"""

import hashlib
import os
import time
from dataclasses import replace
from typing import Any

from tasks.storage_settings import KMS, StorageSettings

TRIES = 4
"""Tries of one call. The only retry layer: botocore's own is switched off."""
BLOCK_SECONDS = 900
"""A Prefect block is read again after so long: keys may have been replaced."""
SAME_ROOT = "s3://"
_open: dict[tuple[Any, ...], Any] = {}


def files_of(settings: StorageSettings) -> Any:
    """The S3FileSystem for `settings`; another in a forked child, and for other variables."""
    how = replace(settings, root=SAME_ROOT, cache_gib=0.0)
    turn = int(time.monotonic() // BLOCK_SECONDS) if settings.credentials else 0
    key = (os.getpid(), how, _variables(), turn)
    if key not in _open:
        _open[key] = _made(how)
    return _open[key]


def _variables() -> str:
    """A digest of the variables that decide how S3 is reached, secrets among them."""
    names = sorted(
        name
        for name in os.environ
        if name.startswith("AWS_") or name.upper() in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    )
    text = "\0".join(f"{name}={os.environ[name]}" for name in names)
    return hashlib.sha256(text.encode()).hexdigest()


def _made(settings: StorageSettings) -> Any:
    from s3fs import S3FileSystem
    from s3fs.core import set_custom_error_handler

    set_custom_error_handler(_server_fault)
    files = S3FileSystem(
        use_listings_cache=False,
        skip_instance_cache=True,
        endpoint_url=settings.endpoint,
        client_kwargs=_client(settings),
        config_kwargs=_config(settings),
        s3_additional_kwargs=_encryption(settings),
        **_keys(settings),
    )
    files.retries = TRIES
    return files


def _keys(settings: StorageSettings) -> dict[str, str]:
    if settings.credentials is not None:
        from infra.prefect.credentials import keys_of

        return keys_of(settings.credentials)
    return {} if settings.profile is None else {"profile": settings.profile}


def _client(settings: StorageSettings) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if settings.region is not None:
        found["region_name"] = settings.region
    if settings.ca_bundle is not None or not settings.verify:
        found["verify"] = settings.ca_bundle or False
    return found


def _config(settings: StorageSettings) -> dict[str, Any]:
    style = "path" if path_style(settings) else "auto"
    found: dict[str, Any] = {
        "retries": {"total_max_attempts": 1},
        "connect_timeout": 5,
        "read_timeout": 30,
        "s3": {"addressing_style": style},
    }
    if settings.proxy is not None:
        found["proxies"] = {"http": settings.proxy, "https": settings.proxy}
    return found


def path_style(settings: StorageSettings) -> bool:
    """Whether the bucket is part of the path: as set, else wherever the server is not AWS's."""
    if settings.path_style is not None:
        return settings.path_style
    return endpoint_of(settings) is not None


def endpoint_of(settings: StorageSettings) -> str | None:
    """The URL of the server that is not AWS's, if there is one."""
    variables = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    named = (os.environ.get(name) for name in variables)
    return settings.endpoint or next(filter(None, named), None)


def _encryption(settings: StorageSettings) -> dict[str, str]:
    if settings.encryption is None:
        return {}
    if settings.encryption != KMS:
        return {"ServerSideEncryption": "AES256"}
    key = {} if settings.kms_key is None else {"SSEKMSKeyId": settings.kms_key}
    return {"ServerSideEncryption": "aws:kms", **key}


def described(settings: StorageSettings) -> str:
    """How the store is reached and whose keys are used, for people; no key is in it."""
    if settings.credentials is not None:
        keys = f"the block {settings.credentials}"
    elif settings.profile is not None:
        keys = f"the profile {settings.profile}"
    else:
        keys = "the AWS_* variables or the machine's role"
        if "AWS_ACCESS_KEY_ID" not in os.environ and os.environ.get("AWS_PROFILE"):
            keys = f"the profile {os.environ['AWS_PROFILE']}"
    secured = f", {settings.encryption}" if settings.encryption else ""
    return f" (at {endpoint_of(settings) or 'AWS'}, keys of {keys}{secured})"


def _server_fault(error: Exception) -> bool:
    """Whether a call is worth another try; s3fs itself only knows lost connections and SlowDown."""
    response = getattr(error, "response", None) or {}
    return response.get("ResponseMetadata", {}).get("HTTPStatusCode") in (429, 500, 502, 503, 504)
