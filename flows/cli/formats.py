"""Rows as a table or text for people, as JSON or CSV for programs."""

import csv
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.columns import Columns
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from flows.cli.terminal import clean, console
from tasks.errors import ConfigError

Rows = Sequence[Mapping[str, Any]]

CELL = 160
"""Characters of a text that a cell of a table shows."""
BESIDE = (("a", "b"), ("chosen", "rejected"))
"""Columns whose texts people compare."""
LONG = {"prompt", "text", "reply", "messages", "a", "b", "chosen", "rejected", "about"}
"""Columns of texts, which get a block of their own."""
UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What JSON leaves as it is though a terminal may act on it, or no file can hold it."""


def print_rows(rows: Rows, columns: Sequence[str], form: str) -> None:
    """Print `rows` in one of FORMATS."""
    FORMATS[form](rows, columns)


def checked_form(form: str) -> str:
    """`form` if it is one of FORMATS; ConfigError names them."""
    if form not in FORMATS:
        raise ConfigError(f"--as {form!r}: use one of {', '.join(FORMATS)}")
    return form


def value_text(value: Any) -> str:
    """One value for a person or a CSV file: numbers short, lists and mappings as JSON."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, str):
        return clean(value)
    return clean(json.dumps(value, ensure_ascii=False))


def _table(rows: Rows, columns: Sequence[str]) -> None:
    table = Table()
    for name in columns:
        numbers = bool(rows) and all(isinstance(row[name], int | float | None) for row in rows)
        # Words stay whole as long as there is room; texts give way first.
        table.add_column(
            name,
            justify="right" if numbers else "left",
            overflow="fold",
            ratio=1 if name in LONG else None,
            no_wrap=numbers,
        )
    for row in rows:
        table.add_row(*(_short(value_text(row[name])) for name in columns))
    console().print(table)


def _short(text: str) -> str:
    line = " \N{RETURN SYMBOL} ".join(text.splitlines())
    return line if len(line) <= CELL else f"{line[:CELL]}\N{HORIZONTAL ELLIPSIS}"


def _text(rows: Rows, columns: Sequence[str]) -> None:
    """A block for each row; texts that are compared stand side by side."""
    out = console()
    beside = [name for pair in BESIDE if set(pair) <= set(columns) for name in pair]
    for number, row in enumerate(rows):
        out.print(Rule(f"row {number}", style="dim"))
        for name in columns:
            if name in beside:
                continue
            value = value_text(row[name])
            out.print(f"{name}:\n{value}" if name in LONG else f"{name}: {value}")
        if beside:
            width = max((out.width - 2) // 2, 20)
            panels = [
                Panel(Text(value_text(row[name])), title=name, width=width) for name in beside
            ]
            out.print(Columns(panels, padding=(0, 1)))


def _json(rows: Rows, columns: Sequence[str]) -> None:
    """An array; what a terminal would act on is escaped, so the values are exact."""
    text = json.dumps(list(rows), indent=1, ensure_ascii=False)
    sys.stdout.write(UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")


def _csv(rows: Rows, columns: Sequence[str]) -> None:
    """With a header; control characters are shown as in a table, newlines are kept in quotes."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        values = (row[name] for name in columns)
        writer.writerow([one if isinstance(one, float) else value_text(one) for one in values])


FORMATS: dict[str, Callable[[Rows, Sequence[str]], None]] = {
    "table": _table,
    "text": _text,
    "json": _json,
    "csv": _csv,
}
