"""The logs of a stack, which lie in one folder: their ends, and what is added."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

POLL_SECONDS = 0.5
BYTES_PER_LINE = 400
"""More than most lines have: so much is read for each that is asked for."""


def log_tail(log: Path, lines: int) -> str:
    """The last lines of a log; empty if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - BYTES_PER_LINE * lines))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.rstrip().splitlines()[-lines:])


def followed(logs: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    """(name, line) of whatever is written after this call, for ever."""
    return _added(logs, {name: _size(log) for name, log in logs.items()})


def _added(logs: Mapping[str, Path], seen: dict[str, int]) -> Iterator[tuple[str, str]]:
    while True:
        for name, log in logs.items():
            size = _size(log)
            start = seen[name] if size >= seen[name] else 0  # a shorter one is a new one
            text, seen[name] = _lines(log, start, size)
            yield from ((name, line) for line in text.splitlines())
        time.sleep(POLL_SECONDS)


def _lines(log: Path, start: int, end: int) -> tuple[str, int]:
    """Whole lines between two places of a file, and where they end."""
    if start >= end:
        return "", start
    with log.open("rb") as file:
        file.seek(start)
        whole = file.read(end - start).rpartition(b"\n")[0]
    return whole.decode(errors="replace"), start + len(whole) + (1 if whole else 0)


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0
