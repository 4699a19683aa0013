"""How far a batch is, in words: for the form in Prefect's UI, a terminal and messages."""

import os
from datetime import datetime

from infra.annotation.batches import Batch

PAGE_VARIABLE = "TSO_ANNOTATE_URL"
"""Where a browser finds the annotation page; whoever serves it sets this."""
MOST_PEOPLE = 20


def address_of(batch: Batch) -> str:
    """Where a browser finds the batch; empty if nobody has said where the page is served."""
    url = os.environ.get(PAGE_VARIABLE, "").rstrip("/")
    studio = batch.facts.terms.label_studio
    if studio is not None:
        return studio["url"]
    return f"{url}/{batch.facts.run}/{batch.facts.round_index}" if url else ""


def progress_line(batch: Batch) -> str:
    """E.g. 12 of 40 answers (30 %), wanted 90 %; until 2026-11-22 06:00 UTC."""
    progress, quorum = batch.progress(), batch.facts.terms.quorum
    line = (
        f"{progress.given:,} of {progress.wanted:,} answers ({progress.share:.0%}), "
        f"wanted {quorum:.0%}"
    )
    return f"{line}; until {shown(progress.deadline)}" if progress.deadline else line


def shown(moment: str) -> str:
    """A moment (ISO 8601) as people read it."""
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M} UTC"


def form_text(batch: Batch) -> str:
    """What stands above the form of a flow run that waits, in markdown."""
    progress, address = batch.progress(), address_of(batch)
    where = f"[{address}]({address})" if address else _how_to_open(batch)
    rows = "".join(
        f"| {_cell(name)} | {number:,} |\n"
        for name, number in list(progress.people.items())[:MOST_PEOPLE]
    )
    more = len(progress.people) - MOST_PEOPLE
    table = f"\n| who | answers |\n|---|---|\n{rows}" if rows else ""
    return (
        f"**{batch.label}** asks people: {progress_line(batch)}. "
        f"{progress.items_done:,} of {progress.items:,} comparisons are done, "
        f"{progress.skipped:,} answers skip.\n\n"
        f"Answer here: {where}\n{table}" + (f"\n… and {more} more\n" if more > 0 else "") + "\n"
        "It goes on by itself with the quorum or at the deadline. This form is for going on sooner "
        "or later: *done* counts the answers there are, *extend* waits longer, *go on without* "
        "counts none. What comes later is kept for the next round.\n"
    )


def _how_to_open(batch: Batch) -> str:
    run = batch.facts.run
    if batch.facts.terms.front_end == "files":
        return f"`tso annotate export {run} --out FILE`, `tso annotate import {run} --from FILE`"
    return f"`tso annotate serve {run}` shows where"


def _cell(name: str) -> str:
    """A name that somebody chose, as a cell of a table: nothing of it is markdown."""
    return "".join(one if one.isalnum() or one in " .@-" else f"&#{ord(one)};" for one in name)
