"""`tso leaderboard`: who wins how often, by the verdicts of a run or of recorded data."""

import csv
import dataclasses
import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.cli.terminal import clean
from infra.artifacts import open_artifact
from infra.prefect.server import local_api
from infra.run_tree import RunTree
from infra.storage import Store, open_store
from tasks.errors import ConfigError, DataError
from tasks.leaderboard import Standing, leaderboard
from tasks.records import Artifact, Feedback, Response, Verdict
from tasks.responses import by_id
from tasks.rounds import recorded_data, resolve
from tasks.tables import from_table, grouped

FORMATS = ("table", "csv", "json")
UNLIMITED = 200
"""Characters of a line that is not for a terminal: nothing is cut for a program."""
SHOWN_COUNTS = (
    *("verdicts", "of_other_prompts", "of_unknown_responses"),
    *("of_a_response_with_itself", "of_texts_of_several_cells"),
)
"""What is said of the verdicts that were brought in."""
RESPONSES = ("sample-train-", "annotate-written")
"""Roles of a round's stages that hold responses to its train prompts."""


def show_leaderboard(
    preset: str, overrides: Mapping[str, Any], run: str, split: str, against: str, form: str
) -> None:
    """Print the standings by the verdicts of `run`, or of the recorded data if it is empty."""
    if form not in FORMATS:
        raise ConfigError(f"--as {form!r}; allowed: {', '.join(FORMATS)}")
    if run:
        config, _ = resolve(preset, overrides)
        store = open_store(config.storage)
        feedback = feedback_of_run(store, run)
    else:
        store, feedback = _recorded(preset, overrides, split)
    responses = by_id(rows_of(store, Response, feedback.responses))
    verdicts = rows_of(store, Verdict, feedback.verdicts)
    _print(leaderboard(verdicts, responses, against), form)


def _recorded(preset: str, overrides: Mapping[str, Any], split: str) -> tuple[Store, Feedback]:
    # Imported first: Prefect sets its log up on import, which local_api then quietens.
    from flows.recorded import recorded

    _, place = recorded_data(preset, overrides)
    with local_api():
        feedback = recorded(preset, dict(overrides), split)
    store = open_store(place.storage)
    counts = dict.fromkeys(SHOWN_COUNTS, 0)
    for artifact in feedback.verdicts:
        found = open_artifact(store, artifact).counts
        counts = {name: number + found.get(name, 0) for name, number in counts.items()}
    parts = (f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items() if number)
    sys.stderr.write(f"verdicts: {', '.join(parts) or 'none'}\n")
    if not counts["verdicts"]:
        raise DataError(
            "no verdict is about a response of the matrix: name prompts alike in all tables "
            "(equal texts, or source_id and source)"
        )
    return store, feedback


def feedback_of_run(store: Store, run: str) -> Feedback:
    """Responses and verdicts of all rounds of `run`, the unfinished one included."""
    tree = RunTree(store, run)
    responses, verdicts = [], []
    for index in range(len(tree.manifests()) + 1):
        for role in tree.roles_done(index):
            artifact = Artifact(**(tree.pointer(index, role) or {}))
            if role.startswith(RESPONSES):
                responses.append(artifact)
            elif role == "annotate" or (role.startswith("judge-") and role.endswith("-train")):
                verdicts.append(artifact)
    if not verdicts:
        raise ConfigError(f"run {run!r} in {store.root} has no verdicts yet; `tso run` makes them")
    return Feedback(responses=responses, verdicts=verdicts)


def rows_of(store: Store, record: Any, artifacts: list[Artifact]) -> list[Any]:
    """The records of several artifacts, in order."""
    tables = (open_artifact(store, one).table() for one in artifacts)
    return [row for table in tables for row in from_table(record, table)]


def _print(standings: list[Standing], form: str) -> None:
    rows = [dataclasses.asdict(one) for one in standings]
    if form == "json":
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
    elif form == "csv":
        names = [field.name for field in dataclasses.fields(Standing)]
        writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        out = Console() if sys.stdout.isatty() else Console(width=UNLIMITED)
        for annotator, own in grouped(standings, "annotator").items():
            for criterion, rows_of_one in grouped(own, "criterion").items():
                about = "" if criterion == "overall" else f" · {criterion}"
                out.print(_table(f"by {annotator}{about}", rows_of_one))


def _table(title: str, standings: list[Standing]) -> Table:
    table = Table(title=escape(clean(title)), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("cell", overflow="fold")
    for heading in ("win %", "s.e.", "n", "won", "tied", "lost", "no answer", "length", "B-T"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in standings:
        table.add_row(
            escape(clean(one.cell)),
            "" if one.win_rate is None else f"{one.win_rate:.2f}",
            "" if one.standard_error is None else f"{one.standard_error:.2f}",
            *(f"{n:,}" for n in (one.verdicts, one.wins, one.ties, one.losses, one.unparsed)),
            f"{one.mean_length:,.0f}",
            f"{one.strength:+.2f}",
        )
    return table
