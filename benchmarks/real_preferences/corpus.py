"""What the small model is taught on: a mix of `pretrain_corpus` without the sets' prompts."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.real_preferences.preferences import normalised
from infra.rows import read_rows
from tasks.canonical import short_id
from tasks.records import Message
from tasks.seeds import seed_of
from tasks.sources import Source

DISTINCTIVE = 40
"""Characters from which on a prompt inside a longer text counts as that prompt."""


@dataclass(frozen=True, kw_only=True)
class Taught:
    """One demonstration."""

    prompt: str
    response: str
    source: str


def teaching_mix(
    path: Path, rows: Mapping[str, int], excluded: Iterable[str], seed: int
) -> tuple[list[Taught], dict[str, int]]:
    """At most `rows[source]` demonstrations of each source, and how many were left out why.

    A row is left out if its prompt is one of `excluded`, or if either of its texts contains one
    of 40 characters or more; both sides are compared as `normalised` has them.
    """
    forbidden = {normalised(text) for text in excluded}
    inside = sorted(text for text in forbidden if len(text) >= DISTINCTIVE)
    by_source: dict[str, list[Taught]] = defaultdict(list)
    counts = Counter[str]()
    for row in read_rows(Source(file=str(path), where={"source": list(rows)})):
        one = Taught(
            prompt=row.text("prompt"), response=row.text("response"), source=row.text("source")
        )
        reason = _why_not(one, forbidden, inside)
        if reason is None:
            by_source[one.source].append(one)
        else:
            counts[reason] += 1
    chosen = {
        source: sorted(some, key=lambda one: seed_of(seed, one.source, _id(one)))[: rows[source]]
        for source, some in sorted(by_source.items())
    }
    counts.update({source: len(some) for source, some in chosen.items()})
    return [one for some in chosen.values() for one in some], dict(counts)


def _why_not(one: Taught, forbidden: set[str], inside: list[str]) -> str | None:
    if not one.response.strip():
        return "empty_response"
    prompt, response = normalised(one.prompt), normalised(one.response)
    if prompt in forbidden:
        return "prompt_of_a_preference_set"
    if any(text in prompt or text in response for text in inside):
        return "contains_a_prompt_of_a_preference_set"
    return None


def _id(one: Taught) -> str:
    return short_id(one.prompt, one.response)


def messages_of(one: Taught) -> list[Message]:
    """The demonstration's prompt as a conversation."""
    return [{"role": "user", "content": one.prompt}]
