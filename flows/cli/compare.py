"""`tso compare`: methods beside each other, as ordinary runs in one store."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from flows.cli.exit_codes import CHILD
from flows.cli.terminal import clean, console
from infra.prefect.server import local_api
from tasks.methods import Row
from tasks.methods_page import notes, tables


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be compared."""

    name: str
    """Begins the names of the runs."""
    methods: Sequence[str]
    """Presets with recipes."""
    seeds: Sequence[int]
    """Of each method."""
    until: int
    """Rounds of the first."""
    out: Path | None
    """Folder for the table."""


def run_comparison(asked: Asked, overrides: Mapping[str, Any]) -> None:
    """Do what is missing, print the table; exits with CHILD if a run did not end well."""
    # Imported first: Prefect sets its log up on import, which local_api then quietens.
    from flows.comparison.flow import compare, folder_of, write_table
    from flows.comparison.plan import planned

    plan = planned(asked.name, asked.methods, asked.seeds, asked.until, overrides)
    kept = folder_of(asked.name)
    with local_api():
        state = compare(
            name=asked.name,
            methods=list(asked.methods),
            seeds=tuple(asked.seeds),
            until=asked.until,
            overrides=dict(overrides),
            return_state=True,
        )
        state.result(raise_on_failure=True)
    failed = json.loads((kept / "table.json").read_text(encoding="utf-8"))["failed"]
    folder = asked.out or kept
    _print(write_table(plan, failed, folder))
    console().print(f"{state.message}; {folder}/table.md, table.json", soft_wrap=True)
    if failed:
        raise typer.Exit(CHILD)


def _print(rows: Sequence[Row]) -> None:
    out = console()
    for cells in tables(rows):
        table = Table(title=cells.title, title_justify="left")
        for number, head in enumerate(cells.heads):
            table.add_column(head, justify="right" if number else "left", overflow="fold")
        for row in cells.rows:
            table.add_row(*map(clean, row))
        out.print(table)
    for one in notes(rows):
        out.print(clean(f"- {one}"))
