"""How rows of tables write a conversation, and by what they name the prompt they are about."""

from collections.abc import Iterable
from typing import Any

from tasks.canonical import canonical_json
from tasks.errors import DataError
from tasks.records import Message, Prompt
from tasks.sources import Row, check_text, text_of

ROLES = ("system", "user", "assistant")
NAMES = ("prompt_id", "source_id", "messages", "prompt")
"""Fields of which one has to name the prompt, where ids of responses do not."""
RESPONSE_IDS = ("a_id", "b_id", "response_id")
"""Fields that name a response."""
Key = tuple[str, ...]
"""One way to name a prompt."""


def messages_of(row: Row) -> list[Message]:
    """The conversation in `messages`, or one user turn from `prompt`; DataError if neither."""
    prompt, messages = row.fields.get("prompt"), row.fields.get("messages")
    if prompt is not None and messages is not None:
        raise DataError(f"{row.where}: has `prompt` and `messages`; keep one of them")
    name = "messages" if prompt is None else "prompt"
    turns = row.listed("messages") if prompt is None else [{"role": "user", "content": prompt}]
    if not turns:
        raise DataError(f"{row.where}: needs `messages` (a list of turns) or `prompt` (a text)")
    where = row.at(name)
    for turn in turns:
        _check_turn(turn, where)
    if turns[-1]["role"] != "user":
        raise DataError(f"{where}: the last turn is {turns[-1]['role']!r}; a prompt ends with user")
    return [Message(role=turn["role"], content=turn["content"]) for turn in turns]


def _check_turn(turn: Any, where: str) -> None:
    if not isinstance(turn, dict) or set(turn) != {"role", "content"}:
        raise DataError(f"{where}: a turn needs exactly role and content, got {turn!r:.80}")
    if turn["role"] not in ROLES:
        raise DataError(f"{where}: role is {turn['role']!r}; allowed: {', '.join(ROLES)}")
    if not isinstance(turn["content"], str) or not turn["content"].strip():
        raise DataError(f"{where}: content of a {turn['role']} turn is {turn['content']!r:.80}")
    check_text(turn["content"], where)


def asked_key(row: Row) -> Key:
    """How `row` names the prompt it is about, as one of `prompt_keys`; DataError if it does not.

    A source_id belongs to a source: a table without the column `source` means prompts without one.
    """
    if row.fields.get("prompt_id") is not None:
        return "prompt_id", str(row.fields["prompt_id"])
    if row.fields.get("source_id") is not None:
        source = row.fields.get("source")
        return "source_id", "" if source is None else str(source), text_of(row.fields["source_id"])
    if row.fields.get("messages") is None and row.fields.get("prompt") is None:
        raise DataError(
            f"{row.where}: needs prompt, messages, source_id or prompt_id to say what it is about"
        )
    return "messages", canonical_json(list(messages_of(row)))


def prompt_keys(prompt_id: str, messages: Iterable[Any], source: str, source_id: str) -> list[Key]:
    """All ways in which a row may name a prompt."""
    keys: list[Key] = [("prompt_id", prompt_id), ("messages", canonical_json(list(messages)))]
    return [*keys, ("source_id", source, source_id)] if source_id else keys


class About:
    """Which prompts rows of tables are about, without looking at prompts or responses."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._keys: set[tuple[str, ...]] = set()
        self.response_ids: set[str] = set()
        for row in rows:
            named = any(row.fields.get(name) is not None for name in NAMES)
            self._keys |= {asked_key(row)} if named else set()
            ids = (row.fields.get(name) for name in RESPONSE_IDS)
            self.response_ids |= {str(one) for one in ids if one is not None}

    def __call__(self, prompt: Prompt) -> bool:
        """Whether a row names `prompt`."""
        keys = prompt_keys(prompt.prompt_id, prompt.messages, prompt.source, prompt.source_id)
        return any(key in self._keys for key in keys)
