"""Tables of the user's: which of their columns are which fields, and their rows in our words."""

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, WithJsonSchema

from tasks.errors import DataError
from tasks.variants import NotInKey

SHOWN = 80
"""Characters of a refused value that an error repeats."""
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]+)\}")
_WHOLE = re.compile(r"-?\d+\.0+")


def text_of(value: Any) -> str:
    """How `values` and `where` write a table's value: 1.0 is 1, True is true, nothing is null.

    The texts of a CSV count as what they write.
    """
    if is_missing(value):
        return "null"
    text = str(value)
    if text.lower() in ("true", "false"):
        return text.lower()
    return text.partition(".")[0] if _WHOLE.fullmatch(text) else text


def is_missing(value: Any) -> bool:
    """Whether a table has nothing there: pandas writes NaN where others write nothing."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _with_text_keys(value: Any) -> Any:
    return {text_of(key): one for key, one in value.items()} if isinstance(value, dict) else value


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A table: JSON Lines, CSV, Parquet, or a folder that Hugging Face `datasets` saved."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )

    file: Annotated[str, NotInKey, Field(min_length=1)]
    """Its path; .gz is unpacked. What it holds enters stage keys, not where it lies."""
    columns: dict[str, str] = field(default_factory=dict)
    """Column by field, e.g. {prompt: question}; if given, the other columns are not read."""
    fill: dict[str, Any] = field(default_factory=dict)
    """Fields that are alike in all rows; {column} stands for the row's value, {{ for a brace."""
    values: dict[str, Annotated[dict[str, Any], BeforeValidator(_with_text_keys)]] = field(
        default_factory=dict
    )
    """What a table's values mean, by field: {outcome: {1: a, 2: b, null: unparsed}}."""
    where: dict[str, Annotated[list[Any], BeforeValidator(_listed)]] = field(default_factory=dict)
    """Rows that are read: those with this value, or one of these, in each column named."""


def _named(value: Any) -> Any:
    return {"file": value} if isinstance(value, str) else value


_SCHEMA = {"anyOf": [{"type": "string"}, TypeAdapter(Source).json_schema()]}
SourceIn = Annotated[Source, BeforeValidator(_named), WithJsonSchema(_SCHEMA)]
"""A source in a configuration: a path alone, or a mapping with its settings."""


class Row(NamedTuple):
    """One row of a table, in our words."""

    where: str
    """file:line, or file row N, for error messages."""
    fields: Mapping[str, Any]
    """Values by field; a value that is missing is None."""
    columns: Mapping[str, str] = {}
    """Column by field, where they differ."""

    def at(self, name: str) -> str:
        """Where the field `name` of this row comes from, for error messages."""
        column = self.columns.get(name, name)
        return f"{self.where}, column {column!r}" + ("" if column == name else f" ({name})")

    def check_fields(self, allowed: set[str]) -> None:
        """Raise DataError if a field is not among `allowed`."""
        if unknown := sorted(self.fields.keys() - allowed):
            raise DataError(
                f"{self.at(unknown[0])}: unknown field {unknown[0]!r}; allowed: "
                f"{', '.join(sorted(allowed))}. Name the columns to read in `columns`"
            )

    def text(self, name: str) -> str:
        """The text in field `name`; DataError if it is no text, or one that cannot be stored."""
        value = self.fields.get(name)
        if not isinstance(value, str):
            raise DataError(f"{self.at(name)}: {name} is {_shown(value)}, needs a text")
        check_text(value, self.at(name))
        return value

    def listed(self, name: str) -> list[Any]:
        """The list in field `name`, empty if there is none; a CSV's text may hold it as JSON."""
        value = self.fields.get(name)
        if isinstance(value, str) and value.lstrip().startswith("["):
            try:
                value = json.loads(value)
            except json.JSONDecodeError as error:
                raise DataError(f"{self.at(name)}: {name} is no JSON list: {error}") from error
        if value is not None and not isinstance(value, list):
            raise DataError(f"{self.at(name)}: {name} is {_shown(value)}; it needs a list")
        return value or []

    def one_of(self, name: str, allowed: Collection[str], default: str | None = None) -> str:
        """The value of field `name`, which must be one of `allowed`."""
        value = self.fields.get(name)
        value = default if value is None else value
        if value not in allowed:
            raise DataError(
                f"{self.at(name)}: {name} is {_shown(value)}; allowed: {', '.join(allowed)}"
            )
        return str(value)

    def number(self, name: str, low: float, high: float) -> float | None:
        """The number in field `name`, or None if there is none; a CSV's text may hold it."""
        value = self.fields.get(name)
        if is_missing(value):
            return None
        try:
            number = math.nan if isinstance(value, bool) else float(str(value))
        except (TypeError, ValueError):
            number = math.nan
        if not low <= number <= high:
            raise DataError(
                f"{self.at(name)}: {name} is {_shown(value)}; "
                f"allowed: a number from {low:g} to {high:g}"
            )
        return number


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def check_text(text: str, where: str) -> None:
    """Raise DataError if `text` cannot be stored: JSON may escape half of a character."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{where}: {error.reason} in {text[:SHOWN]!a}; write whole characters"
        ) from error


def check_columns(source: Source, present: Iterable[str]) -> None:
    """Raise DataError unless the table's columns `present` hold all that `source` names."""
    there = set(present)
    wanted = {**source.columns, **{name: name for name in source.where}}
    wanted |= {
        name: name for value in _texts(source.fill) for name in _PLACEHOLDER.findall(value) if name
    }
    for name, column in wanted.items():
        if column not in there:
            raise DataError(
                f"{source.file} has no column {column!r} (wanted as {name}); "
                f"it has: {', '.join(sorted(there)) or 'none'}"
            )


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, Mapping) else value
    return [text for part in parts for text in _texts(part)] if _holds_parts(value) else []


def _holds_parts(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple)


def is_wanted(source: Source, raw: Mapping[str, Any]) -> bool:
    """Whether `source.where` lets the row through."""
    return all(
        text_of(raw.get(column)) in {text_of(value) for value in allowed}
        for column, allowed in source.where.items()
    )


def row_of(source: Source, where: str, raw: Mapping[str, Any]) -> Row:
    """The row `raw` of the table in our words; DataError for a value that `values` lacks."""
    columns = source.columns or {name: name for name in raw}
    given = {name: raw.get(column) for name, column in columns.items()}
    fields = {name: None if is_missing(value) else value for name, value in given.items()}
    fields |= {name: _filled(value, raw) for name, value in source.fill.items()}
    row = Row(where, fields, columns)
    meanings = {name: _meaning(row, name, known) for name, known in source.values.items()}
    return row._replace(fields={**fields, **meanings})


def _filled(value: Any, raw: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda match: _written(match, raw), value)
    if isinstance(value, Mapping):
        return {key: _filled(one, raw) for key, one in value.items()}
    return [_filled(one, raw) for one in value] if _holds_parts(value) else value


def _written(match: re.Match[str], raw: Mapping[str, Any]) -> str:
    return match[0][0] if match[1] is None else text_of(raw.get(match[1]))


def _meaning(row: Row, name: str, known: Mapping[str, Any]) -> Any:
    written = text_of(row.fields.get(name))
    if written not in known:
        raise DataError(
            f"{row.at(name)}: {name} is {_shown(row.fields.get(name))}, which `values` does not "
            f"explain; it explains: {', '.join(known)}"
        )
    return known[written]
