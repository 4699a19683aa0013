"""What commands print: plain text, in which nothing that a model wrote can command the terminal."""

from rich.console import Console

from tasks.report.formatting import clean, seconds_shown

__all__ = ["bytes_shown", "clean", "console", "seconds_shown"]

UNITS = ("bytes", "kB", "MB", "GB", "TB")


def console() -> Console:
    """A console that takes text as it is: no markup, no emoji, no highlighting."""
    return Console(markup=False, emoji=False, highlight=False)


def bytes_shown(size: float) -> str:
    """A number of bytes for people: 1.2 GB."""
    for unit in UNITS[:-1]:
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == UNITS[0] else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} {UNITS[-1]}"
