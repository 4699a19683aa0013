"""What a loss needs of each example beyond the example itself: a table of its own, joined by id."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.errors import DataError
from tasks.losses._contract import needs_of
from tasks.records import TrainingExample
from tasks.tables import check_columns, schema
from tasks.variants import kind_of

NUMBERS, TOKENS = pa.list_(pa.float64()), pa.list_(pa.int64())


def side_schema(loss: Any) -> pa.Schema:
    """The columns that `loss` needs beside a TrainingExample, `example_id` first.

    A number for each token of a side is `chosen_edited`; a further response is `explored_ids` with
    `explored_logps`, its reference log-probabilities (nats); degraded variants of an example's
    responses are `degraded_ids` with their `degrees`. Nothing but `example_id`: no table is needed.
    """
    known = schema(TrainingExample).names
    columns: dict[str, pa.DataType] = {"example_id": pa.string()}
    columns |= {name: pa.float64() for name in loss.REQUIRES if name not in known}
    columns |= {f"{side}_{name}": NUMBERS for side, name in loss.TOKEN_COLUMNS}
    for name in loss.OTHERS:
        columns[f"{name}_ids"] = TOKENS
        if loss.USES_REFERENCE:
            columns[f"{name}_logps"] = NUMBERS
    if loss.HEAD_CLASSES:
        columns |= {"degraded_ids": pa.list_(TOKENS), "degrees": TOKENS}
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns.items()])


def reads_side_table(loss: Any) -> bool:
    """Whether `loss` needs anything beside a TrainingExample."""
    return len(side_schema(loss)) > 1


def joined(examples: pa.Table, side: pa.Table | None, loss: Any) -> pa.Table:
    """`examples` with the columns of `side`, row by row of the same `example_id`.

    Rows of `side` for other examples are left out. Raises DataError where columns, types, values,
    or rows are missing, or where an id occurs twice.
    """
    if not reads_side_table(loss):
        if side is not None:
            raise DataError(f"the loss {kind_of(loss)!r} reads no side table; leave it out")
        return examples
    wanted = side_schema(loss)
    if side is None:
        raise DataError(
            f"the loss {kind_of(loss)!r} needs {', '.join(needs_of(loss))}; give a side table with "
            f"the columns {', '.join(wanted.names)}"
        )
    if set(side.column_names) != set(wanted.names):
        raise DataError(
            f"the side table has columns {side.column_names}, the loss {kind_of(loss)!r} needs "
            f"{wanted.names}"
        )
    side = side.select(wanted.names)
    check_columns("side table", wanted, side)
    side = _in_order_of(examples.column("example_id"), side)
    for name in wanted.names[1:]:
        examples = examples.append_column(wanted.field(name), side.column(name))
    return examples


def _in_order_of(ids: pa.ChunkedArray, side: pa.Table) -> pa.Table:
    """Rows of `side` by `ids`; those that are in this order already are not copied."""
    own = side.column("example_id")
    if own.equals(ids):
        return side
    counts = pc.value_counts(own)
    double = [one["values"].as_py() for one in counts if one["counts"].as_py() > 1]
    if double:
        raise DataError(f"the side table has several rows of example {_first(double)}")
    places = pc.index_in(ids, value_set=own.combine_chunks())
    if places.null_count:
        missing = ids.filter(places.is_null()).to_pylist()
        raise DataError(f"the side table has no row of example {_first(missing)}")
    return side.take(places)


def _first(ids: list[str]) -> str:
    return f"{ids[0]!r} ({len(ids)} such examples)"
