"""What responses that transforms made come from, and what losses read of it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MADE_PAIRS = re.compile(r"transform-(\d+)-[a-z_]+")
"""Roles of stages with the pairs that a transform left; its number is its place in the list."""
MADE_RESPONSES = re.compile(r"transform-(\d+)-[a-z_]+-responses")
"""Roles of stages with the responses that it made."""
TABLE = "origins"
"""Name of the table beside the pairs."""
SEGMENT = "segment"
"""The token column that marks what was written anew."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Derivation:
    """What a response that a transform made comes from. Key: (response_id, made_from)."""

    response_id: str
    """The response that was made."""
    made_from: str
    """The response that it was made from."""
    prompt_id: str
    """The prompt that both answer."""
    transform: str
    """Kind of the transform."""
    pair_id: str
    """The pair that it was made for, as it was before; empty where pairs stay as they are."""
    degree: int | None
    """How far it is degraded, from 1, where it was made to be told from what it was made from."""
    start: int | None
    """First token of the segment that was written anew, where one was."""
    replaced: int | None
    """Tokens of `made_from` in that segment."""
    written: int | None
    """Tokens of the response in that segment."""


def transforms_among(roles: Iterable[str]) -> list[str]:
    """Those of `roles` whose stages have the pairs that transforms left, in their order."""
    found = {role: MADE_PAIRS.fullmatch(role) for role in roles}
    return sorted((role for role in found if found[role]), key=lambda one: int(one.split("-")[1]))


def reads_origins(loss: Any) -> bool:
    """Whether `loss` needs to know which response was made of which."""
    return bool(loss.HEAD_CLASSES) or any(name == SEGMENT for _, name in loss.TOKEN_COLUMNS)


def segments_of(origins: Iterable[Derivation]) -> Mapping[tuple[str, str], Derivation]:
    """Where a response and one with another segment differ, by the ids of the two."""
    return {(one.made_from, one.response_id): one for one in origins if one.start is not None}


def variants_of(origins: Iterable[Derivation]) -> Mapping[str, list[tuple[int, str]]]:
    """Degree and id of the degraded variants of each response, in the order of degrees."""
    found: dict[str, list[tuple[int, str]]] = {}
    for one in origins:
        if one.degree is not None:
            found.setdefault(one.made_from, []).append((one.degree, one.response_id))
    return {response_id: sorted(some) for response_id, some in found.items()}


def in_words(one: Derivation) -> str:
    """Where a response comes from, as a sentence."""
    made = f"response {one.response_id} was made of {one.made_from} by {one.transform}"
    if one.degree is not None:
        made += f", degree {one.degree}"
    if one.start is not None:
        made += f": {one.replaced} tokens behind the first {one.start} became {one.written}"
    return f"{made}; in place of the pair {one.pair_id}" if one.pair_id else made
