"""One byte form for every value, so that equal things have equal digests on every machine."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

ID_LENGTH = 16
"""Hex digits of a record id: 64 bits, no collision to expect below a billion records."""

_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical_json(value: Any) -> str:
    """`value` as JSON with sorted keys and no spaces; NaN is refused with ValueError."""
    return _ENCODER.encode(value)


def digest(value: Any) -> str:
    """The sha256 of the canonical JSON of `value`, 64 hex digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def short_id(*parts: Any) -> str:
    """The id of a record made of `parts`, 16 hex digits."""
    return digest(list(parts))[:ID_LENGTH]


def digest_of_lines(lines: Iterable[str]) -> str:
    """The sha256 of `lines`, each closed by a newline: for tables too long to hold as one value."""
    total = hashlib.sha256()
    for line in lines:
        total.update(line.encode())
        total.update(b"\n")
    return total.hexdigest()
