"""What the commands of `tso annotate` do with batches."""

import getpass
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect.settings import get_current_settings
from rich.table import Table

from flows.cli.terminal import console
from infra.annotation.batches import Batch, open_batch
from infra.annotation.files import export_batch, import_answers
from infra.annotation.label_studio import project_of, pull, push, refusals
from infra.annotation.label_studio_api import LabelStudio, label_studio_of
from infra.annotation.said import address_of, progress_line, shown
from infra.storage import open_store
from tasks.errors import ConfigError
from tasks.rounds import resolve
from tasks.waiting import tick


def _opened(
    run: str, preset: str, overrides: Mapping[str, Any], round_index: int | None, writer: str = ""
) -> Batch:
    config, _ = resolve(preset, overrides)
    return open_batch(open_store(config.storage), run, round_index, writer)


def show_batch(
    run: str, preset: str, overrides: Mapping[str, Any], round_index: int | None
) -> None:
    """Print how far a batch is."""
    batch = _opened(run, preset, overrides, round_index)
    out, progress, closed = console(), batch.progress(), batch.closed
    out.print(f"{batch.label}: {progress_line(batch)}", soft_wrap=True, highlight=False)
    out.print(
        f"{progress.items_done:,} of {progress.items:,} comparisons are done; {progress.skipped:,} "
        f"answers skip; front end: {batch.facts.terms.front_end}{_where(batch)}",
        soft_wrap=True,
        highlight=False,
    )
    if progress.people:
        table = Table("who", "answers")
        for name, number in progress.people.items():
            table.add_row(name, f"{number:,}")
        out.print(table)
    for reason, number in refusals(batch).items():
        out.print(f"refused {number:,}: {reason}", soft_wrap=True, highlight=False, markup=False)
    if closed is not None:
        late = len(batch.answers()) - len(batch.counted())
        out.print(
            f"closed {shown(closed.at)} by {closed.by} ({closed.why}); {late:,} answers came later",
            soft_wrap=True,
            highlight=False,
        )


def _where(batch: Batch) -> str:
    address, project = address_of(batch), project_of(batch)
    said = f", {address}" if address else ""
    return said if project is None else f"{said}/projects/{project}"


def export_items(
    run: str, preset: str, overrides: Mapping[str, Any], round_index: int | None, out: Path
) -> None:
    """Write a batch as a table."""
    batch = _opened(run, preset, overrides, round_index)
    _say(f"{batch.label}: {export_batch(batch, out):,} items in {out}")


def import_tables(
    run: str,
    preset: str,
    overrides: Mapping[str, Any],
    round_index: int | None,
    tables: Sequence[Path],
) -> None:
    """Keep the answers in tables; what a table brought stays where a later one is refused."""
    batch = _opened(run, preset, overrides, round_index, "file")
    for table in tables:
        brought = import_answers(batch, table)
        _say(
            f"{table}: {brought.new:,} new answers, {brought.known:,} known, "
            f"{brought.unanswered:,} rows without one"
        )
    closed = batch.closed
    later = "; the batch is closed, they are kept for the next round" if closed else ""
    _say(f"{batch.label}: {progress_line(batch)}{later}")


def push_items(
    run: str, preset: str, overrides: Mapping[str, Any], round_index: int | None
) -> None:
    """Send a batch to Label Studio."""
    batch = _opened(run, preset, overrides, round_index)
    server = _server(batch)
    sent = push(batch, server)
    _say(f"{batch.label}: {sent:,} items sent to {server.url}/projects/{project_of(batch)}")


def pull_answers(
    run: str, preset: str, overrides: Mapping[str, Any], round_index: int | None
) -> None:
    """Take answers from Label Studio."""
    batch = _opened(run, preset, overrides, round_index)
    pulled = pull(batch, _server(batch))
    for one in pulled.refused:
        _say(f"refused: task {one.task}, annotation {one.annotation}: {one.reason}")
    _say(
        f"{batch.label}: {pulled.new:,} new answers, {pulled.known:,} known, "
        f"{len(pulled.refused):,} refused; {progress_line(batch)}"
    )


def _server(batch: Batch) -> LabelStudio:
    settings = batch.facts.terms.label_studio
    if settings is None:
        raise ConfigError(
            f"{batch.label} is not answered in Label Studio: its front end is "
            f"{batch.facts.terms.front_end}. Set annotate.front_end and annotate.label_studio, "
            "and start the run again"
        )
    return label_studio_of(settings)


def close_batch(
    run: str,
    preset: str,
    overrides: Mapping[str, Any],
    round_index: int | None,
    by: str,
    *,
    without: bool,
) -> None:
    """Fix which answers count, and let a suspended flow run go on at once."""
    batch = _opened(run, preset, overrides, round_index)
    closed = batch.close("without" if without else "command", by or getpass.getuser())
    _say(
        f"{batch.label}: closed by {closed.by} ({closed.why}); {closed.given:,} of "
        f"{closed.wanted:,} wanted answers count"
    )
    if get_current_settings().api.url is not None:
        _say(tick(run))


def extend_batch(
    run: str,
    preset: str,
    overrides: Mapping[str, Any],
    round_index: int | None,
    hours: float,
    by: str,
) -> None:
    """Let the batch wait longer."""
    batch = _opened(run, preset, overrides, round_index)
    batch.extend(hours, by or getpass.getuser(), f"command-{uuid.uuid4().hex[:12]}")
    _say(f"{batch.label}: {progress_line(batch)}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
