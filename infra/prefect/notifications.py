"""Where messages of automations go: a block on the Prefect server, which keeps its secret."""

import os
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from prefect.blocks.core import Block
from prefect.blocks.notifications import (
    CustomWebhookNotificationBlock,
    MicrosoftTeamsWebhook,
    SlackWebhook,
)
from prefect.types import SecretDict
from pydantic import SecretStr

from tasks.errors import ConfigError

NAME = "tso-notify"
"""Of the block that a URL becomes; it stays on the server until another takes its place."""
VARIABLE = "TSO_NOTIFY"
"""Where messages go: for addresses that are secrets, which do not belong on a command line."""
SLACK = "hooks.slack.com"
TEAMS = ("webhook.office.com", "logic.azure.com")


def notification_block(target: str) -> UUID | None:
    """The block for messages: made of a URL, or found by its name `type/name`.

    Without a target the variable TSO_NOTIFY names one, else the block of an earlier call is used;
    None if there is none. ConfigError for a block that there is not.
    """
    target = target or os.environ.get(VARIABLE, "")
    if target.startswith(("https://", "http://")):
        return _saved(target)
    if target:
        found = _known(target)
        if found is None:
            raise ConfigError(
                f"no block {target!r} on the server; make it in the UI under Blocks (Slack, email, "
                "…), and write its type and name: slack-webhook/team; or give a URL for a webhook"
            )
        return found
    kinds = (SlackWebhook, MicrosoftTeamsWebhook, CustomWebhookNotificationBlock)
    names = [f"{one.get_block_type_slug()}/{NAME}" for one in kinds]
    return next((known for name in names if (known := _known(name))), None)


def _saved(url: str) -> UUID:
    """A block for `url`: Slack's and Microsoft's webhooks have kinds of their own."""
    host = urlsplit(url).hostname or ""
    block: Block
    if host == SLACK:
        block = SlackWebhook(url=SecretStr(url))
    elif host.endswith(TEAMS):
        block = MicrosoftTeamsWebhook(url=SecretStr(url))
    else:
        block = CustomWebhookNotificationBlock(
            name=NAME,
            url="{{address}}",
            json_data={"subject": "{{subject}}", "body": "{{body}}"},
            secrets=SecretDict({"address": url}),
        )
    saved: Any = block.save(NAME, overwrite=True)  # a coroutine only where a loop runs
    return UUID(str(saved))


def _known(name: str) -> UUID | None:
    try:
        found: Any = Block.load(name)
    except ValueError:
        return None
    return UUID(str(found._block_document_id))
