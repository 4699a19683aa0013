"""Tables of a round cut alike into ranges of prompts, so that a door holds one range at a time.

Whatever a door does with a prompt needs that prompt's rows alone. Tables that are sorted by
prompt_id, as sampling and judging leave them, are read once from start to end; others are sorted
on local disk first.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from infra.artifacts import open_artifact
from infra.storage import Store
from infra.table_files import ROW_GROUP, TableFile, spooled
from tasks.errors import DataError
from tasks.records import Artifact
from tasks.tables import from_table, schema

Record = TypeVar("Record")
BY, RESPONSE = "prompt_id", "response_id"
BLOCK_PROMPTS = 1024
"""Prompts of a range, where a door does not say otherwise."""

TableName = tuple[Artifact, str] | TableFile
"""A finished stage and one of its tables, or a table on local disk."""


class Block(NamedTuple):
    """The rows about some prompts, which follow each other in the order of ids."""

    number: int
    """0-based, among all ranges."""
    tables: Mapping[str, Sequence[pa.Table]]
    """By the name under which tables were asked for, in the order given."""

    def about(self, prompt_ids: Collection[str]) -> "Block":
        """The rows about these prompts alone."""
        wanted = pa.array(list(prompt_ids), pa.string())
        return Block(
            self.number,
            {
                name: [table.filter(pc.is_in(table.column(BY), wanted)) for table in some]
                for name, some in self.tables.items()
            },
        )

    def records(self, record: type[Record], name: str) -> list[Record]:
        """The rows of the tables `name` as records, one table after the other."""
        kind: type = record
        names = schema(kind).names
        return [
            row for table in self.tables[name] for row in from_table(record, table.select(names))
        ]


class Blocks:
    """Ranges of prompts; every pass over them reads the tables again."""

    def __init__(
        self, tables: Mapping[str, Sequence[TableFile]], prompt_ids: Sequence[str], size: int
    ) -> None:
        self._tables = tables
        self.prompt_ids = prompt_ids
        """Of all ranges, sorted."""
        self._starts = prompt_ids[::size]

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[Block]:
        return self.but(())

    def but(self, done: Collection[int]) -> Iterator[Block]:
        """All ranges but those at the places `done`."""
        cursors = {
            name: [_Cursor(table) for table in tables] for name, tables in self._tables.items()
        }
        left_out = set(done)
        for index in range(len(self)):
            bound = self._starts[index + 1] if index + 1 < len(self) else None
            found = {name: [one.below(bound) for one in some] for name, some in cursors.items()}
            if index not in left_out:
                yield Block(index, found)

    def rows_of_prompts(self, name: str) -> list[list[int]]:
        """For each range, how many rows of the tables `name` each of its prompts has."""
        columns = [table.column(BY) for table in self._tables[name]]
        ids = pa.chunked_array([chunk for one in columns for chunk in one.chunks], pa.string())
        found: list[list[int]] = [[] for _ in self._starts]
        values, counts = pc.value_counts(ids).flatten()
        for prompt_id, count in zip(values.to_pylist(), counts.to_pylist(), strict=True):
            found[max(0, bisect_right(self._starts, prompt_id) - 1)].append(count)
        return found


class _Cursor:
    """Hands out the rows of a sorted table from start to end."""

    def __init__(self, table: TableFile) -> None:
        self._groups = table.groups()
        self._held = table.schema.empty_table()

    def below(self, bound: str | None) -> pa.Table:
        """The rows not handed out yet whose prompt_id is below `bound`; all of them for None."""
        parts = []
        while True:
            end = self._held.num_rows if bound is None else _below(self._held, bound)
            parts.append(self._held.slice(0, end))
            self._held = self._held.slice(end)
            further = next(self._groups, None) if not self._held.num_rows else None
            if further is None:
                return pa.concat_tables(parts)
            self._held = further


def _below(table: pa.Table, bound: str) -> int:
    """How many rows of a sorted table have a prompt_id below `bound`."""
    ids = table.column(BY)
    return bisect_left(range(len(ids)), bound, key=lambda row: ids[row].as_py())


class Followed:
    """A table without prompt_id whose rows follow each other as the responses of prompts do."""

    def __init__(self, table: TableFile, what: str) -> None:
        self._what = what
        self._groups = table.groups()
        self._held = table.schema.empty_table()

    def about(self, response_ids: pa.Array | None) -> pa.Table:
        """The next rows, as far as they are about these responses; all that are left for None."""
        parts = []
        while True:
            end = self._held.num_rows
            if response_ids is not None:
                known = pc.is_in(self._held.column(RESPONSE), response_ids)
                stop = known.index(False).as_py()
                end = stop if stop >= 0 else end
            parts.append(self._held.slice(0, end))
            self._held = self._held.slice(end)
            further = next(self._groups, None) if not self._held.num_rows else None
            if further is None:
                return pa.concat_tables(parts)
            self._held = further

    def close(self) -> None:
        """Raise DataError if there are rows about no response, or in another order."""
        if self._held.num_rows or next(self._groups, None) is not None:
            raise DataError(
                f"{self._what} has rows about other responses than the round's, or in another "
                "order than it; score again: --set redo=[score]"
            )


@contextmanager
def by_prompt(
    store: Store,
    tables: Mapping[str, Sequence[TableName]],
    of: str,
    prompts: int = BLOCK_PROMPTS,
) -> Iterator[Blocks]:
    """Cut `tables` into ranges of so many prompts of the tables named `of`."""
    with ExitStack() as stack:
        opened = {
            name: [stack.enter_context(_opened(store, one)) for one in some]
            for name, some in tables.items()
        }
        prompt_ids = _prompt_ids(opened[of])
        found = {
            name: [stack.enter_context(in_order(table)) for table in some]
            for name, some in opened.items()
        }
        yield Blocks(found, prompt_ids, prompts)


def _opened(store: Store, table: TableName) -> AbstractContextManager[TableFile]:
    if isinstance(table, TableFile):
        return nullcontext(table)
    artifact, name = table
    return open_artifact(store, artifact).opened(name)


def _prompt_ids(tables: Sequence[TableFile]) -> list[str]:
    """The ids of all prompts that `tables` have rows about, sorted."""
    found = [pc.unique(table.column(BY)) for table in tables]
    return sorted(pc.unique(pa.chunked_array(found, pa.string())).to_pylist())


def _is_sorted(table: TableFile) -> bool:
    last = ""
    for group in table.groups([BY]):
        ids = group.column(BY).combine_chunks()
        if not len(ids):
            continue
        ascending = pc.all(pc.less_equal(ids[:-1], ids[1:]), min_count=0).as_py()
        if ids[0].as_py() < last or not ascending:
            return False
        last = ids[-1].as_py()
    return True


@contextmanager
def in_order(table: TableFile) -> Iterator[TableFile]:
    """`table`, or a copy of it in the order of prompts; rows of a prompt keep their order."""
    if _is_sorted(table):
        yield table
        return
    starts = _prompt_ids([table])
    starts = starts[:: max(1, len(starts) * ROW_GROUP // table.num_rows)]
    with spooled(None) as whole:
        parts = [whole.path.with_name(f"part-{place}") for place in range(len(starts))]
        _deal(table, starts, parts)
        for part in parts:
            rows = pa.ipc.open_stream(part.read_bytes()).read_all()
            whole.add(rows.take(pc.sort_indices(rows, [(BY, "ascending")])))
        whole.close()
        yield TableFile(whole.path)


def _deal(table: TableFile, starts: Sequence[str], parts: Sequence[Path]) -> None:
    """Put each row of `table` into the part in whose range of prompts it lies."""
    with ExitStack() as stack:
        writers = [
            stack.enter_context(pa.ipc.new_stream(str(part), table.schema)) for part in parts
        ]
        for rows in table.groups():
            ids = rows.column(BY).to_pylist()
            places = pa.array([bisect_right(starts, one) - 1 for one in ids])
            for place in pc.unique(places).to_pylist():
                writers[place].write_table(rows.filter(pc.equal(places, place)))
