"""Arrow files on local disk: what children read and write."""

from pathlib import Path

import pyarrow as pa


def write_arrow(table: pa.Table, path: Path) -> None:
    """Write `table` to `path` as a whole or not at all."""
    made = path.with_name(f"{path.name}.part")
    with pa.ipc.new_file(str(made), table.schema) as writer:
        writer.write_table(table)
    made.replace(path)


def read_arrow(path: Path) -> pa.Table:
    """The table in the Arrow file at `path`."""
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()
