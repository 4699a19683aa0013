"""Rows of a user's table, whatever its format, each with the place it came from."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from infra.row_formats import columns_and_rows, data_files, is_ragged
from tasks.errors import DataError
from tasks.sources import Row, Source, check_columns, is_wanted, row_of


def read_rows(source: Source) -> Iterator[Row]:
    """The rows of `source` in our words, those that its `where` lets through.

    Raises DataError that names file, row, column and value for a file that is missing, of unknown
    format, damaged or empty, for a column that is not there, and if no row is let through.
    """
    found, present = False, set[str]()
    for columns, where, raw in columns_and_rows(source.file, source.where):
        if not present and not is_ragged(source.file):
            check_columns(source, columns)
        present.update(columns)
        if is_wanted(source, raw):
            found = True
            yield row_of(source, where, raw)
    if present:
        check_columns(source, present)
    if not found:
        only = f" with {source.where}" if source.where else ""
        raise DataError(f"{source.file} has no row{only}; check the table")


def read_tables(sources: Iterable[Source]) -> Iterator[Row]:
    """The rows of several tables, one after another; errors as `read_rows` has them."""
    for source in sources:
        yield from read_rows(source)


def check_rows(sources: Iterable[Source], check: Callable[[Row], None]) -> None:
    """Raise DataError for the first row of `sources` that `check` or `read_rows` refuses."""
    for row in read_tables(sources):
        check(row)


def file_digests(sources: Sequence[Source]) -> dict[str, str]:
    """What the tables hold, for the key of a stage that reads them."""
    return {f"file-{index}": file_digest(source) for index, source in enumerate(sources)}


def file_digest(source: Source) -> str:
    """The sha256 of all that `source.file` holds; remembered until a file changes.

    Raises DataError as `read_rows` does where no row of it can be read.
    """
    stamps = []
    for path in data_files(source.file):
        stat = path.stat()
        stamps.append((str(path), stat.st_size, stat.st_mtime_ns))
    try:
        return _digest(tuple(stamps))
    except OSError as error:
        next(columns_and_rows(source.file, source.where), None)
        raise DataError(f"{source.file} cannot be read: {error}; check its rights") from error


@lru_cache(maxsize=256)
def _digest(stamps: tuple[tuple[str, int, int], ...]) -> str:
    sha = hashlib.sha256()
    for path, _, _ in stamps:
        with Path(path).open("rb") as file:
            sha.update(hashlib.file_digest(file, "sha256").digest())
    return sha.hexdigest()
