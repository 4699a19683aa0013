"""Texts as token ids: prompts rendered by the chat template, responses tokenised on their own.

A training row is `render(...) + response_ids(...)`, concatenated and never tokenised jointly, so
that the boundary between prompt and response is exact. Importing this module loads no torch.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.canonical import digest
from tasks.errors import ConfigError, DataError
from tasks.records import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer

PROBE = "ANSWER"
"""Text that templates leave as it is: what they write after it ends the assistant's turn."""


def load_tokenizer(folder_or_id: str | Path) -> "Tokenizer":
    """The tokenizer of a local folder (never the network then) or of a published model.

    Raises ConfigError if there is none, or if it has no chat template.
    """
    from transformers import AutoTokenizer

    local = Path(folder_or_id).is_dir()
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(folder_or_id), local_files_only=local, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot load a tokenizer from {folder_or_id}: {error}") from error
    if not tokenizer.chat_template:
        raise ConfigError(
            f"the tokenizer of {folder_or_id} has no chat template; "
            "add a chat_template.jinja to the model folder"
        )
    loaded: Tokenizer = tokenizer
    return loaded


def tokenizer_digest(tokenizer: "Tokenizer") -> str:
    """Digest of what decides which ids a text becomes; equal after saving and loading again."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ConfigError(
            f"{type(tokenizer).__name__} is not backed by a tokenizer.json; convert the tokenizer"
        )
    model = json.loads(backend.to_str())
    # Padding and truncation are settings of the last call, not of the tokenizer.
    model.pop("padding", None)
    model.pop("truncation", None)
    return digest({"model": model, "bos": tokenizer.bos_token, "eos": tokenizer.eos_token})


def template_digest(tokenizer: "Tokenizer") -> str:
    """Digest of the chat template and the special tokens that it may write."""
    return digest([tokenizer.chat_template, tokenizer.bos_token, tokenizer.eos_token])


def render(
    tokenizer: "Tokenizer", messages: Sequence[Message], max_tokens: int | None = None
) -> list[int]:
    """Token ids of the conversation up to where the answer begins.

    One BOS exactly, if template or tokenizer adds one. Raises DataError if the template refuses
    the messages, or if more than `max_tokens` ids come out.
    """
    ids = _ids(tokenizer, _text(tokenizer, messages, generation=True))
    bos = _added_bos(tokenizer)
    if bos is not None and ids[:1] != [bos]:
        ids = [bos, *ids]
    if ids[:2] == [tokenizer.bos_token_id] * 2:
        raise ConfigError("the chat template writes the BOS token twice; remove one from it")
    if max_tokens is not None and len(ids) > max_tokens:
        raise DataError(
            f"a prompt has {len(ids)} tokens, more than the {max_tokens} allowed "
            f"(it begins {messages[0]['content'][:40]!r}); shorten it or raise the limit"
        )
    return ids


def response_ids(tokenizer: "Tokenizer", text: str, finished: bool) -> list[int]:
    """Token ids of a response, closed by the end-of-turn id if it finished by itself.

    Text that looks like a special token stays text: an EOS is never read out of a response.
    """
    encoded = tokenizer(text, add_special_tokens=False, split_special_tokens=True)
    ids: list[int] = list(encoded["input_ids"])
    return [*ids, end_of_turn(tokenizer)] if finished else ids


def end_of_turn(tokenizer: "Tokenizer") -> int:
    """The id that the template writes after an assistant's message, else the tokenizer's EOS."""
    return _end_of_turn(tokenizer, str(tokenizer.chat_template))


@lru_cache(maxsize=16)
def _end_of_turn(tokenizer: "Tokenizer", template: str) -> int:
    turns: list[Message] = [
        {"role": "user", "content": "QUESTION"},
        {"role": "assistant", "content": PROBE},
    ]
    tail = _text(tokenizer, turns, generation=False).rpartition(PROBE)[2]
    special = set(tokenizer.all_special_ids)
    closing = [token for token in _ids(tokenizer, tail) if token in special]
    found = closing[0] if closing else tokenizer.eos_token_id
    if found is None:
        raise ConfigError(
            "neither the chat template nor the tokenizer has an end-of-turn token; set eos_token"
        )
    return int(found)


def stop_ids(tokenizer: "Tokenizer", generation_config: Any = None) -> list[int]:
    """Ids that end a response: the end-of-turn id first, then the model's and tokenizer's EOS."""
    declared = getattr(generation_config, "eos_token_id", None)
    more = declared if isinstance(declared, list) else [declared]
    found = [end_of_turn(tokenizer), *more, tokenizer.eos_token_id]
    return list(dict.fromkeys(int(token) for token in found if token is not None))


def _text(tokenizer: "Tokenizer", messages: Sequence[Message], *, generation: bool) -> str:
    from jinja2 import TemplateError

    try:
        text = tokenizer.apply_chat_template(
            [{"role": turn["role"], "content": turn["content"]} for turn in messages],
            tokenize=False,
            add_generation_prompt=generation,
        )
    except (TemplateError, ValueError) as error:
        roles = [message["role"] for message in messages]
        raise DataError(f"the chat template refuses messages of roles {roles}: {error}") from error
    return str(text)


def _ids(tokenizer: "Tokenizer", text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _added_bos(tokenizer: "Tokenizer") -> int | None:
    """The BOS id if the tokenizer puts one in front of plain text."""
    first = tokenizer("a")["input_ids"][:1]
    bos = tokenizer.bos_token_id
    return bos if bos is not None and first == [bos] else None
