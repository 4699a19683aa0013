"""Keys and tokens that Prefect blocks hold; they are handed on and never shown."""

import json
from typing import Any

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings

from tasks.errors import ConfigError

SECRET = "secret"
NAMES = {
    "key": "aws_access_key_id",
    "secret": "aws_secret_access_key",
    "token": "aws_session_token",
}
"""What a client of S3 takes, and what blocks call it."""


def keys_of(block: str) -> dict[str, str]:
    """Keys in the block `type/name`, for `S3FileSystem`; ConfigError says what is not there.

    A block of type secret holds JSON; aws-credentials has the keys as fields. The block's own
    package need not be installed.
    """
    kind, _, name = block.partition("/")
    data = _data("storage.credentials", block, kind, name)
    if kind == SECRET:
        data = _parsed(block, data.get("value"))
    found = {ours: str(data[theirs]) for ours, theirs in NAMES.items() if data.get(theirs)}
    missing = [theirs for ours, theirs in NAMES.items() if ours != "token" and ours not in found]
    if missing:
        raise ConfigError(
            f"storage.credentials: the Prefect block {block} has no {' and no '.join(missing)}; "
            f"it has to hold {NAMES['key']} and {NAMES['secret']}"
        )
    return found


def secret_of(setting: str, block: str) -> str:
    """The text in the block `secret/NAME` that `setting` names; it is handed on and never shown."""
    kind, _, name = block.partition("/")
    value = _data(setting, block, kind, name).get("value")
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{setting}: the value of the Prefect block {block} is no text")
    return value


def _data(setting: str, block: str, kind: str, name: str) -> dict[str, Any]:
    if get_current_settings().api.url is None:
        raise ConfigError(
            f"{setting} names the Prefect block {block}, but no Prefect server is configured: "
            "set PREFECT_API_URL, or give keys and tokens by variables (keys by a profile, too)"
        )
    try:
        with get_client(sync_client=True) as client:
            return dict(client.read_block_document_by_name(name, kind).data)
    except ObjectNotFound as error:
        raise ConfigError(
            f"{setting}: there is no Prefect block {block}; make it in the UI (Blocks) "
            "or correct the name"
        ) from error


def _parsed(block: str, value: Any) -> dict[str, Any]:
    """The mapping in a secret's value, which may be its JSON; what is there is not repeated."""
    try:
        data = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise ConfigError(
            f"storage.credentials: the value of the Prefect block {block} is no JSON object; "
            f'write {{"{NAMES["key"]}": "...", "{NAMES["secret"]}": "..."}}'
        )
    return data
