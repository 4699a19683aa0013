"""Rows of a user's JSON Lines file, each with the place it came from."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tasks.errors import DataError


class Row(NamedTuple):
    """One object of a file."""

    where: str
    """file:line, for error messages."""
    fields: dict[str, Any]
    """The object itself."""


def read_rows(path: str) -> Iterator[Row]:
    """The objects of the JSON Lines file at `path`; blank lines are passed over.

    Raises DataError that names file and line if the file is missing or a line is no object.
    """
    file = Path(path)
    if not file.is_file():
        raise DataError(f"no file at {path!r} (working folder {Path.cwd()}); check the path")
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield Row(f"{path}:{number}", _object(line, f"{path}:{number}"))
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: {error}; convert it first") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}; check the file and its rights") from error


def check_rows(path: str) -> None:
    """Raise DataError as `read_rows` would for the first bad line."""
    for _ in read_rows(path):
        pass


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON ({error.msg}): {line[:80]!r}") from error
    if not isinstance(value, dict):
        raise DataError(f"{where}: needs a JSON object, got {type(value).__name__}: {line[:80]!r}")
    return value
