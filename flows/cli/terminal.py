"""What commands print: plain text, in which nothing that a model wrote can command the terminal."""

from rich.console import Console

from tasks.report.formatting import clean

__all__ = ["clean", "console"]


def console() -> Console:
    """A console that takes text as it is: no markup, no emoji, no highlighting."""
    return Console(markup=False, emoji=False, highlight=False)
