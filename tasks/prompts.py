"""Rows of a user's file become prompts; equal prompts collapse, contradictory ones are refused."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, get_args

from tasks.canonical import canonical_json, digest, short_id
from tasks.conversations import messages_of
from tasks.errors import DataError
from tasks.records import Message, Prompt, Split
from tasks.seeds import seed_of, uniform_of
from tasks.sources import Row, check_text, text_of
from tasks.variants import built

SPLITS = get_args(Split)
FIELDS = {
    "messages",
    "prompt",
    "prompt_id",
    "split",
    "tags",
    "checks",
    "source",
    "source_id",
    "group_id",
}


class Pool(NamedTuple):
    """All prompts of a run."""

    prompts: list[Prompt]
    """Sorted by prompt_id."""
    counts: dict[str, int]
    """Rows read, duplicates collapsed, prompts by split."""


def prompt_id(messages: Sequence[Message]) -> str:
    """The id of a conversation: 16 hex digits over its canonical messages."""
    return short_id(*messages)


def prompt_of(row: Row, shares: Mapping[str, float] | None = None) -> Prompt:
    """The prompt that a row describes; DataError names the row and the column.

    `shares` are the parts of the prompts without a split that go to each split but train.
    """
    row.check_fields(FIELDS)
    messages = messages_of(row)
    identity = prompt_id(messages)
    if row.fields.get("prompt_id") not in (None, identity):
        raise DataError(
            f"{row.at('prompt_id')}: prompt_id is {row.fields['prompt_id']!r} but its messages "
            f"give {identity!r}; leave prompt_id out, it is computed; the id in your data is "
            "source_id"
        )
    group_id = _text(row.fields, "group_id", identity)
    return Prompt(
        prompt_id=identity,
        messages=messages,
        source=_text(row.fields, "source", ""),
        source_id=_text(row.fields, "source_id", ""),
        split=row.one_of("split", SPLITS, _drawn_split(group_id, shares or {})),
        group_id=group_id,
        tags=[str(tag) for tag in row.listed("tags")],
        checks=[_check(check, row.at("checks")) for check in row.listed("checks")],
    )


def _drawn_split(group_id: str, shares: Mapping[str, float]) -> str:
    """The split of a group that names none: alike in every run, so that figures compare."""
    left = uniform_of("split", group_id)
    for split, share in sorted(shares.items()):
        left -= share
        if left < 0:
            return split
    return "train"


def _text(fields: Mapping[str, Any], name: str, default: str) -> str:
    value = fields.get(name)
    return default if value is None else text_of(value)


def _check(settings: Any, where: str) -> str:
    """The canonical JSON of a check, tried once so that a bad one is found at the start."""
    if not isinstance(settings, dict) or "kind" not in settings:
        raise DataError(f"{where}: a check needs a kind, got {settings!r:.80}")
    try:
        text = canonical_json(settings)
        check_text(text, where)
        load_check(text)
    except DataError:
        raise
    except ValueError as error:  # ConfigError is one; so is JSON's NaN
        raise DataError(f"{where}: {error}") from error
    return text


@lru_cache(maxsize=65_536)
def load_check(text: str) -> Any:
    """The check behind one entry of `Prompt.checks`."""
    settings = json.loads(text)
    return built("tasks.checks", str(settings.pop("kind")), settings)


def pool_of(rows: Iterable[Row], shares: Mapping[str, float] | None = None) -> Pool:
    """The pool that `rows` describe; `shares` as in `prompt_of`.

    Equal prompts collapse and are counted; equal prompts with other checks or split, and a group
    of near-duplicates that lies in two splits, are a DataError.
    """
    prompts: dict[str, Prompt] = {}
    places: dict[str, str] = {}
    read = 0
    for row in rows:
        read += 1
        prompt = prompt_of(row, shares)
        first = prompts.setdefault(prompt.prompt_id, prompt)
        place = places.setdefault(prompt.prompt_id, row.where)
        if (first.split, sorted(first.checks)) != (prompt.split, sorted(prompt.checks)):
            raise DataError(
                f"{row.where} and {place} hold the same prompt with another split or other checks "
                f"({prompt.split!r} and {first.split!r}); keep one of them"
            )
    _check_groups(prompts.values(), places)
    _check_source_ids(prompts.values(), places)
    ordered = [prompts[name] for name in sorted(prompts)]
    return Pool(ordered, _counts(read, ordered))


def _check_groups(prompts: Iterable[Prompt], places: Mapping[str, str]) -> None:
    first: dict[str, Prompt] = {}
    for prompt in prompts:
        other = first.setdefault(prompt.group_id, prompt)
        if other.split != prompt.split:
            raise DataError(
                f"group {prompt.group_id!r} lies in split {other.split!r} "
                f"({places[other.prompt_id]}) and {prompt.split!r} ({places[prompt.prompt_id]}); "
                "near-duplicates must share a split"
            )


def _check_source_ids(prompts: Iterable[Prompt], places: Mapping[str, str]) -> None:
    """Tables may name a prompt by source and source_id, so these must name one prompt only."""
    first: dict[tuple[str, str], Prompt] = {}
    for prompt in prompts:
        named = (prompt.source, prompt.source_id)
        other = first.setdefault(named, prompt)
        if prompt.source_id and other is not prompt:
            raise DataError(
                f"{places[other.prompt_id]} and {places[prompt.prompt_id]} hold two prompts with "
                f"source_id {prompt.source_id!r} of source {prompt.source!r}; give them different "
                "sources, or leave source_id out"
            )


def _counts(read: int, prompts: Sequence[Prompt]) -> dict[str, int]:
    by_split = {split: sum(p.split == split for p in prompts) for split in SPLITS}
    return {"rows": read, "duplicates": read - len(prompts), **by_split}


def split_digests(prompts: Sequence[Prompt]) -> dict[str, str]:
    """Digest of the members of each split that is measured on: these may not change in a run."""
    return {
        split: digest(sorted(p.prompt_id for p in prompts if p.split == split))
        for split in SPLITS
        if split != "train"
    }


def fresh_batch(prompts: Sequence[Prompt], used: set[str], size: int, seed: int) -> list[Prompt]:
    """Up to `size` unused train prompts, drawn without replacement in an order fixed by `seed`."""
    unused = [p for p in prompts if p.split == "train" and p.prompt_id not in used]
    return sorted(unused, key=lambda p: seed_of(seed, "collect", p.prompt_id))[:size]


def drawn(prompts: Sequence[Prompt], split: str, size: int, *names: str | int) -> list[Prompt]:
    """A subset of `split` of at most `size` prompts, drawn by `names`."""
    members = [p for p in prompts if p.split == split]
    return sorted(members, key=lambda p: seed_of(*names, p.prompt_id))[:size]
