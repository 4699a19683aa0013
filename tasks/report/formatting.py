"""Numbers and foreign text in a form that is safe to show and easy to compare."""

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"

_BIDI = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C])
_SPOKEN = {
    code: f"\N{MATHEMATICAL LEFT ANGLE BRACKET}U+{code:04X}\N{MATHEMATICAL RIGHT ANGLE BRACKET}"
    for code in _BIDI
}


def count(number: int) -> str:
    """A whole number with thousands marked: 12,345."""
    return f"{number:,}"


def figure(value: float | None, like: float | None = None) -> str:
    """A measured number with about three significant digits and a true minus sign.

    With `like` it gets as many decimals as that number has, as a standard error should.
    """
    if value is None or not math.isfinite(value):
        return DASH
    if value and abs(value) < 0.001 and like is None:
        return f"{value:.1e}".replace("-", MINUS)
    return f"{value:,.{_places(value if like is None else like)}f}".replace("-", MINUS)


def _places(value: float) -> int:
    return 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1


def signed(value: float | None, like: float | None = None) -> str:
    """A difference, its sign always shown; `like` as for `figure`."""
    if value is None or not math.isfinite(value):
        return DASH
    return ("" if value < 0 else "+") + figure(value, like)


def share(value: float | None) -> str:
    """A share between 0 and 1 as a percentage: 57.2 %."""
    return (
        DASH
        if value is None or not math.isfinite(value)
        else f"{100 * value:.1f}\N{NO-BREAK SPACE}%"
    )


def seconds_shown(seconds: float | None) -> str:
    """A time for people: 8.2 s, 3 min 05 s, 2 h 07 min; a dash where it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return DASH
    if seconds < 60:
        return f"{seconds:.1f}\N{NO-BREAK SPACE}s"
    minutes, left = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if not hours:
        return f"{minutes}\N{NO-BREAK SPACE}min {left:02d}\N{NO-BREAK SPACE}s"
    return f"{hours:,}\N{NO-BREAK SPACE}h {minutes_left:02d}\N{NO-BREAK SPACE}min"


def usd(amount: float) -> str:
    """Money: 12.30 USD; four decimals below one dollar, where calls are cheap."""
    return f"{amount:,.2f} USD" if abs(amount) >= 1 else f"{amount:.4f} USD"


def short(digest: Any) -> str:
    """The first 12 characters of a digest, or a dash; a record with a sha256 is its sha256."""
    if isinstance(digest, Mapping):
        digest = digest.get("sha256")
    return str(digest)[:12] if digest else DASH


def clean(text: Any) -> str:
    """`text` without what could disturb a page: control, direction-changing and half characters.

    They stay visible, as control pictures, code points and replacement characters.
    """
    lines = str(text).replace("\r\n", "\n").replace("\r", "\n")
    return "".join(_visible(character) for character in lines)


def _visible(character: str) -> str:
    if character in "\n\t":
        return character
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code in _SPOKEN:
        return _SPOKEN[code]
    return (
        "\N{REPLACEMENT CHARACTER}"
        if unicodedata.category(character) in ("Cc", "Cs")
        else character
    )


def shorten(text: Any, limit: int) -> str:
    """`text` cleaned and cut at `limit` characters, with the number of those left out."""
    whole = clean(text)
    if len(whole) <= limit:
        return whole
    return f"{whole[:limit]} \N{HORIZONTAL ELLIPSIS} [{count(len(whole) - limit)} characters more]"


def code_span(text: Any, limit: int = 80) -> Markup:
    """Foreign text inside a line or table cell of markdown: a code span it cannot leave.

    A vertical bar would end a table cell, so it is shown as a broken bar.
    """
    line = " ".join(shorten(text, limit).split()).replace("|", "\N{BROKEN BAR}")
    ticks = "`" * (_longest_ticks(line) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return Markup(f"{ticks}{pad}{line}{pad}{ticks}") if line else Markup(DASH)


def fence(text: Any, limit: int = 500) -> Markup:
    """Foreign text as a fenced block of markdown whose fence is longer than any in the text."""
    block = shorten(text, limit)
    ticks = "`" * max(3, _longest_ticks(block) + 1)
    return Markup(f"{ticks}text\n{block}\n{ticks}")


def _longest_ticks(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
