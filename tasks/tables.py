"""Records in bulk: Arrow tables with exactly a record's columns, checked on the way in and out."""

import dataclasses
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from json.encoder import encode_basestring
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints, is_typeddict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.canonical import canonical_json, digest_of_lines
from tasks.derivations import Derivation
from tasks.errors import DataError
from tasks.records import (
    EvalReport,
    Label,
    Preference,
    PreferencePair,
    Prompt,
    ReferenceScore,
    Response,
    TrainingExample,
    Verdict,
    Volatile,
)

Record = TypeVar("Record")

KEYS: dict[type, tuple[str, ...]] = {
    Prompt: ("prompt_id",),
    Response: ("response_id",),
    Verdict: ("a_id", "b_id", "annotator", "criterion", "replicate", "first_shown"),
    Preference: ("prompt_id", "a_id", "b_id"),
    PreferencePair: ("pair_id",),
    Derivation: ("response_id", "made_from"),
    Label: ("response_id",),
    ReferenceScore: ("response_id", "reference"),
    TrainingExample: ("example_id",),
    EvalReport: ("checkpoint", "metric", "slice"),
}
"""The columns that identify a row of each record."""

_ARROW: dict[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
}
_WRITERS: dict[pa.DataType, Callable[[Any], str]] = {
    pa.string(): encode_basestring,
    pa.int64(): str,
}
"""How texts and whole numbers look in canonical JSON, without the cost of a general encoder."""

KEY_SEPARATOR = "\x1f"
HELD_ROWS = 16_384
"""Rows that are held as Python's objects at a time."""
SHOWN_KEYS = 100
"""Hashes that occur twice and are looked at; the first real one is an error."""
Hashes = NDArray[np.int64]


@cache
def schema(record: type) -> pa.Schema:
    """The Arrow schema of `record`: one column a field, nullable where the field may be None."""
    hints = get_type_hints(record)
    fields = []
    for field in dataclasses.fields(record):
        inner, optional = _without_none(hints[field.name])
        fields.append(pa.field(field.name, _arrow_type(inner), nullable=optional))
    return pa.schema(fields)


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) in (Union, types.UnionType):
        inner = [part for part in get_args(hint) if part is not type(None)]
        return inner[0], True
    return hint, False


def _arrow_type(hint: Any) -> pa.DataType:
    if get_origin(hint) is list:
        return pa.list_(_arrow_type(get_args(hint)[0]))
    if is_typeddict(hint):
        parts = get_type_hints(hint).items()
        return pa.struct([(name, _arrow_type(part)) for name, part in parts])
    return _ARROW[hint]


def to_table(record: type, rows: Iterable[Any]) -> pa.Table:
    """The checked table of `rows`; an empty table keeps its schema.

    Raises DataError for a wrong type, a missing value, NaN, or a key that occurs twice.
    """
    names = [field.name for field in dataclasses.fields(record)]
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for row in rows:
        for name in names:
            columns[name].append(getattr(row, name))
    try:
        table = pa.Table.from_pydict(columns, schema=schema(record))
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"{record.__name__} rows do not fit their schema: {error}") from error
    check(record, table)
    return table


def from_table(record: type[Record], table: pa.Table) -> Iterator[Record]:
    """The records of `table`, in its order."""
    names = table.column_names
    for values in zip(*(table.column(name).to_pylist() for name in names), strict=True):
        yield record(**dict(zip(names, values, strict=True)))


def check(record: type, table: pa.Table) -> None:
    """Raise DataError unless `table` has exactly the columns, values and keys of `record`."""
    check_columns(record.__name__, schema(record), table)
    _check_key(record, table)


def check_columns(what: str, wanted: pa.Schema, table: pa.Table) -> None:
    """Raise DataError unless `table` has exactly the columns `wanted`, with values that fit."""
    if table.schema.names != wanted.names:
        raise DataError(f"{what} table has columns {table.schema.names}, needs {wanted.names}")
    for field in wanted:
        _check_column(what, field, table.column(field.name))


def _check_column(what: str, field: pa.Field, column: pa.ChunkedArray) -> None:
    name = f"{what}.{field.name}"
    if column.type != field.type:
        raise DataError(f"{name} has type {column.type}, needs {field.type}")
    if not field.nullable and column.null_count:
        row = column.is_null().index(True).as_py()
        raise DataError(f"{name} has no value in row {row} (of {len(column)}); it may not be empty")
    _check_values(name, column)


def _check_values(name: str, column: pa.ChunkedArray) -> None:
    """Numbers are finite, and nothing is missing inside a list or a turn."""
    if pa.types.is_floating(column.type):
        row = pc.is_finite(column).index(False).as_py()
        if row >= 0:
            raise DataError(f"{name} is {column[row].as_py()} in row {row} (of {len(column)})")
    for part, values in _parts(column):
        if values.null_count:
            row = values.is_null().index(True).as_py()
            raise DataError(f"{name}{part} has no value in entry {row} (of {len(values)})")
        _check_values(f"{name}{part}", values)


def _parts(column: pa.ChunkedArray) -> list[tuple[str, pa.ChunkedArray]]:
    """What a column of lists or structs holds, by how an error names it."""
    if pa.types.is_list(column.type):
        return [("[]", pc.list_flatten(column))]
    if pa.types.is_struct(column.type):
        names = [field.name for field in column.type]
        return [(f".{name}", pc.struct_field(column, name)) for name in names]
    return []


def _check_key(record: type, table: pa.Table) -> None:
    if places := same_key(key_hashes(record, table)):
        refuse_same_key(record, table.take(places), places)


def key_hashes(record: type, table: pa.Table) -> Hashes:
    """A 64-bit hash of each row's key, for this process alone: equal keys, equal hashes."""
    columns = [table.column(name).cast(pa.string()) for name in KEYS[record]]
    keys = pc.binary_join_element_wise(*columns, KEY_SEPARATOR)
    return np.fromiter(map(hash, keys.to_pylist()), np.int64, len(keys))


def same_key(hashes: Hashes) -> list[int]:
    """Places of rows whose hash another row has, ascending: some of them, none if all differ."""
    ordered = np.sort(hashes)
    alike = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])[:SHOWN_KEYS]
    return [int(place) for place in np.flatnonzero(np.isin(hashes, alike))] if len(alike) else []


def refuse_same_key(record: type, rows: pa.Table, places: Sequence[int]) -> None:
    """Raise DataError if two of `rows`, which stand at `places` of their table, share a key."""
    key = KEYS[record]
    seen: dict[tuple[Any, ...], int] = {}
    values = zip(*(rows.column(name).to_pylist() for name in key), strict=True)
    for place, one in zip(places, values, strict=True):
        if one in seen:
            shown = dict(zip(key, one, strict=True))
            raise DataError(f"{record.__name__} rows {seen[one]} and {place} share the key {shown}")
        seen[one] = place


def check_known(table: pa.Table, column: str, known: Iterable[str], where: str) -> None:
    """Raise DataError if `column` names an id that is not among `known` (ids of `where`)."""
    known_ids = set(known)
    missing = [value for value in table.column(column).to_pylist() if value not in known_ids]
    if missing:
        raise DataError(
            f"{len(missing)} rows have a {column} that is not in {where}, first {missing[0]!r}"
        )


def content(record: type, table: pa.Table) -> str:
    """Digest of the rows of `table` sorted by key, volatile fields left out."""
    parts = (canonical_lines(record, part) for part in held_parts(table))
    return digest_of_lines(sorted(chain.from_iterable(parts)))


def held_parts(table: pa.Table) -> Iterator[pa.Table]:
    """The rows of `table` in order, as many at a time as are held as Python's objects."""
    return (table.slice(start, HELD_ROWS) for start in range(0, table.num_rows, HELD_ROWS))


def canonical_lines(record: type, table: pa.Table) -> list[str]:
    """The canonical JSON of every row of `table`, in its order, volatile fields left out."""
    names = sorted(stable_columns(record))
    form = "{" + ",".join(f'"{name}":%s' for name in names) + "}"
    columns = [_canonical_values(table.column(name)) for name in names]
    return [form % values for values in zip(*columns, strict=True)]


def _canonical_values(column: pa.ChunkedArray) -> list[str]:
    """Each value of `column` as `canonical_json` writes it."""
    values = column.to_pylist()
    write = _WRITERS.get(column.type, canonical_json)
    return ["null" if value is None else write(value) for value in values]


@cache
def stable_columns(record: type) -> list[str]:
    """Columns that enter the content digest."""
    hints = get_type_hints(record, include_extras=True)
    return [
        name
        for name in (field.name for field in dataclasses.fields(record))
        if Volatile not in getattr(hints[name], "__metadata__", ())
    ]


def grouped(rows: Iterable[Record], by: str = "prompt_id") -> dict[str, list[Record]]:
    """`rows` by the value of field `by`, in order of first appearance."""
    groups: dict[str, list[Record]] = {}
    for row in rows:
        groups.setdefault(getattr(row, by), []).append(row)
    return groups


def concat(record: type, tables: Sequence[pa.Table]) -> pa.Table:
    """All rows of `tables` in order; an empty sequence gives an empty table of `record`."""
    return pa.concat_tables([schema(record).empty_table(), *tables])


def counted(reasons: Iterable[str]) -> Mapping[str, int]:
    """How often each reason occurs, sorted by name: what manifests say of dropped rows."""
    counts: dict[str, int] = {}
    for reason in reasons:
        counts[reason] = counts.get(reason, 0) + 1
    return dict(sorted(counts.items()))
