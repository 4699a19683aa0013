"""A text as a list of items, the way a reader sees it."""

import re

SEPARATOR = re.compile(r"[,;|\n]")
"""What sets items apart, whichever separator was asked for."""

_MARKER = re.compile(r"^(?:[-*\u2022]|\d+[.)])\s+")
_END_MARKS = ".!?"


def items_of(text: str) -> list[str]:
    """The items of `text` without bullets, numbering, spaces around them and end marks.

    Empty items are left out, so a trailing comma adds none.
    """
    body = text.strip().rstrip(_END_MARKS)
    items = (_MARKER.sub("", part.strip()).strip() for part in SEPARATOR.split(body))
    return [item for item in items if item]
