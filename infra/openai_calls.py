"""One call to an OpenAI-compatible server, its reply, and the key that goes with it."""

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from tasks.errors import ConfigError
from tasks.records import Message

NO_KEY = "none"
"""What servers without keys are sent: the protocol wants some text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request for one reply."""

    id: str
    """The caller's name for it; equal requests with other ids are separate calls (replicates)."""
    messages: list[Message]
    """The conversation to complete."""
    settings: dict[str, Any] = field(default_factory=dict)
    """temperature, max_tokens, seed, ... as the API names them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What came back: `text`, or `error` if nothing usable did."""

    text: str | None = None
    """The reply; empty if the model said nothing."""
    finish_reason: str = "unknown"
    """As the server names it: stop, length, ..."""
    prompt_tokens: int | None = None
    """Tokens read, if the server counts them."""
    completion_tokens: int | None = None
    """Tokens written, if the server counts them."""
    seconds: float | None = None
    """Time that the call took, retries included."""
    error: str | None = None
    """Why there is no text, in one line; the key never appears in it."""
    hopeless: bool = False
    """Whether the error is of the configuration: another attempt fails in the same way."""
    from_journal: bool = False
    """Answered by an earlier attempt, not called again."""


class CallJournal(AbstractContextManager[Any], Protocol):
    """Where replies are kept (`infra.journal.Journal`)."""

    def get(self, call: str) -> dict[str, Any] | None:
        """The reply to `call`, or None."""
        ...

    def append(self, call: str, reply: dict[str, Any]) -> None:
        """Keep `reply`; it is on disk when this returns."""
        ...


def api_key(variable: str) -> str:
    """The key in the environment variable named `variable`; a dummy if the name is empty.

    Raises ConfigError if the variable is not set, empty, or holds what no HTTP header can carry.
    """
    if not variable:
        return NO_KEY
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigError(
            f"api_key_env names {variable!r}, which is not set in the environment; "
            f"export {variable}=... or leave api_key_env empty for a server without keys"
        )
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(f"the key in {variable} has characters that no HTTP header can carry")
    return key


class Secret:
    """A key that does not show itself."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "<key>"

    def hidden(self, text: str) -> str:
        """`text` in one line without the key: servers quote it in their complaints."""
        text = " ".join(text.split())
        return text if self.value == NO_KEY else text.replace(self.value, "<key>")
