"""The two public preference sets: their pairs, cleaned, split by prompt, and drawn by seed."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.rows import read_rows
from tasks.canonical import short_id
from tasks.records import Message
from tasks.seeds import seed_of
from tasks.sources import Source


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One verdict: `chosen` was preferred over `rejected` as an answer to a prompt."""

    pair_id: str
    prompt_id: str
    """Alike for prompts that differ in case or white space only."""
    chosen_id: str
    rejected_id: str
    chosen_model: str
    """Who wrote it, as the set names them."""
    rejected_model: str


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """The clean pairs of one set, and their texts."""

    pairs: list[Pair]
    prompts: dict[str, list[Message]]
    """By prompt_id."""
    responses: dict[str, tuple[str, str]]
    """Prompt_id and text by response id."""
    counts: dict[str, int]
    """Rows read, and why some made no pair."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Pairs by what they are for; no prompt is in two parts."""

    train: list[Pair]
    dev: list[Pair]
    held_out: list[Pair]


def normalised(text: str) -> str:
    """`text` as it is compared: white space collapsed, case folded."""
    return " ".join(text.split()).casefold()


def read_preferences(path: Path) -> Preferences:
    """The pairs of the set at `path`; duplicates and pairs judged both ways are left out."""
    prompts: dict[str, list[Message]] = {}
    responses: dict[str, tuple[str, str]] = {}
    found: dict[tuple[str, str], Pair] = {}
    counts = Counter[str]()
    for row in read_rows(Source(file=str(path))):
        counts["rows"] += 1
        messages = row.listed("prompt")
        prompt_id = short_id([[turn["role"], normalised(turn["content"])] for turn in messages])
        prompts.setdefault(prompt_id, messages)
        chosen, rejected = row.text("chosen"), row.text("rejected")
        if not chosen.strip() or not rejected.strip() or chosen == rejected:
            counts["empty_or_equal"] += 1
            continue
        ids = short_id(prompt_id, chosen), short_id(prompt_id, rejected)
        responses |= {
            one: (prompt_id, text) for one, text in zip(ids, (chosen, rejected), strict=True)
        }
        counts["duplicates"] += ids in found
        found.setdefault(ids, _pair(prompt_id, *ids, row.fields))
    clean = [pair for (chosen, rejected), pair in found.items() if (rejected, chosen) not in found]
    counts["judged_both_ways"] = len(found) - len(clean)
    return Preferences(pairs=clean, prompts=prompts, responses=responses, counts=dict(counts))


def _pair(prompt_id: str, chosen_id: str, rejected_id: str, fields: Mapping[str, Any]) -> Pair:
    return Pair(
        pair_id=short_id(prompt_id, chosen_id, rejected_id),
        prompt_id=prompt_id,
        chosen_id=chosen_id,
        rejected_id=rejected_id,
        chosen_model=fields["chosen_model"],
        rejected_model=fields["rejected_model"],
    )


def split_by_prompt(pairs: Iterable[Pair], *, held_out: int, dev: int, seed: int) -> Split:
    """`held_out` and `dev` prompts by a seeded order of the prompts; the others are to train on."""
    pairs = list(pairs)
    prompts = {pair.prompt_id for pair in pairs}
    order = sorted(prompts, key=lambda one: (seed_of(seed, "split", one), one))
    place = {one: rank for rank, one in enumerate(order)}
    return Split(
        held_out=[pair for pair in pairs if place[pair.prompt_id] < held_out],
        dev=[pair for pair in pairs if held_out <= place[pair.prompt_id] < held_out + dev],
        train=[pair for pair in pairs if place[pair.prompt_id] >= held_out + dev],
    )


def draw(pairs: Sequence[Pair], per_prompt: int, *names: str | int) -> list[Pair]:
    """At most `per_prompt` pairs of each prompt, drawn by a seed made of `names`."""
    drawn: Counter[str] = Counter()
    kept = []
    for pair in sorted(pairs, key=lambda one: (seed_of(*names, one.pair_id), one.pair_id)):
        drawn[pair.prompt_id] += 1
        if drawn[pair.prompt_id] <= per_prompt:
            kept.append(pair)
    return kept


def win_rates(pairs: Iterable[Pair]) -> dict[str, float]:
    """The share of its pairs in which each model's response was chosen."""
    wins, seen = Counter[str](), Counter[str]()
    for pair in pairs:
        wins[pair.chosen_model] += 1
        seen.update((pair.chosen_model, pair.rejected_model))
    return {model: wins[model] / count for model, count in seen.items()}


def prompt_texts(sets: Mapping[str, Preferences]) -> list[str]:
    """Every turn of every prompt of `sets`: what no demonstration may hold."""
    conversations = [messages for one in sets.values() for messages in one.prompts.values()]
    return [turn["content"] for messages in conversations for turn in messages]
