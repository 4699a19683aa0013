"""Arrow files on local disk: what children read and write."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from infra.storage_failures import failure


def write_arrow(table: pa.Table, path: Path) -> None:
    """Write `table` to `path` as a whole or not at all."""
    with growing_arrow(path, table.schema) as add:
        add(table)


@contextmanager
def growing_arrow(path: Path, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    """Yield what adds rows to the file `path`, which appears when the block ends without error.

    StorageError if the disk is full.
    """
    made = path.with_name(f"{path.name}.part")

    def add(table: pa.Table) -> None:
        with _named(path):
            writer.write_table(table)

    try:
        with _named(path):
            writer = pa.ipc.new_file(str(made), schema)
        yield add
        with _named(path):
            writer.close()
            made.replace(path)
    finally:
        made.unlink(missing_ok=True)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise failure("write", str(path), error) from error


def read_arrow(path: Path) -> pa.Table:
    """The table in the Arrow file at `path`."""
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()
