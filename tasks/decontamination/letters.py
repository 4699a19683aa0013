"""Texts without case, punctuation and spaces, and their runs of letters as numbers."""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]

GRAM = 10
"""Letters of a gram: about two words, so that a changed word costs little beside it."""

_NO_LETTER = re.compile(r"[\W_]+")
_POWERS = {n: np.uint64(pow(0x9E3779B97F4A7C15, n, 1 << 64)) for n in (1, 2, 4)}
_SPREAD = np.uint64(0xD6E8FEB86659FD93)


class Grams(NamedTuple):
    """Grams of several texts: a gram's number, and the index of the text that it is of."""

    numbers: Places
    owners: Places


def letters(text: str) -> str:
    """`text` as its letters and digits alone, in one case and one form of Unicode."""
    return _NO_LETTER.sub("", unicodedata.normalize("NFKC", text).casefold())


def hashes_of(written: str) -> Hashes:
    """A hash for the gram at each place of `written`; equal grams have equal hashes."""
    codes = np.frombuffer(written.encode("utf-32-le"), np.uint32)
    if len(codes) < GRAM:
        return np.empty(0, np.uint64)
    one = codes.astype(np.uint64) * _SPREAD
    one ^= one >> np.uint64(32)
    two = one[:-1] * _POWERS[1] + one[1:]
    four = two[:-2] * _POWERS[2] + two[2:]
    eight = four[:-4] * _POWERS[4] + four[4:]
    ten: Hashes = eight[:-2] * _POWERS[2] + two[8:]
    ten ^= ten >> np.uint64(29)
    return ten * _SPREAD


def owners_of(places: Places, written: Sequence[str]) -> tuple[Places, Places]:
    """Those of `places` in the joined texts where a gram ends in the text it begins in.

    With each the index of that text.
    """
    ends = np.cumsum([len(one) for one in written], dtype=np.int64)
    owners = np.searchsorted(ends, places, side="right")
    whole = places + GRAM <= ends[owners]
    return places[whole], owners[whole]
