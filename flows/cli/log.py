"""`tso log`: the rounds of a run, the newest first, as a log of commits."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console

from flows.cli.formats import FORMATS, print_rows
from flows.cli.terminal import clean, console, seconds_shown
from infra.forks import origin_of
from infra.run_tree import RunTree
from infra.storage import open_store
from tasks.errors import ConfigError
from tasks.ledger.log import Entry, entries
from tasks.ledger.rounds import Change
from tasks.refresh import rounds_of
from tasks.rounds import resolve

OUTCOMES = {
    "promoted": "promoted",
    "inconclusive": "promoted, flagged as inconclusive",
    "refused": "refused",
}
COLUMNS = ("round", "outcome", "ended", "seconds", "usd", "prompts", "pairs", "steps")
"""Of the forms with a row for each round; a column for each metric follows."""


def show_log(
    name: str, preset: str, overrides: Mapping[str, Any], number: int | None, form: str
) -> None:
    """Print the newest `number` rounds of run `name`, or all of them."""
    if form not in FORMATS:
        raise ConfigError(f"--as {form!r}: use one of {', '.join(FORMATS)}")
    if number is not None and number < 1:
        raise ConfigError(f"--rounds is {number}; it must be 1 or more")
    config, _ = resolve(preset, overrides)
    tree = RunTree(open_store(config.storage), name)
    shown = entries(rounds_of(tree))[:number]
    if form == "text":
        for entry in shown:
            _print(console(), entry)
        if (origin := origin_of(tree)) and shown[-1].round_index == 0:
            console().print(clean(f"forked from {origin['run']}@{origin['round_index']}"))
    elif form == "json":
        print_rows([asdict(one) for one in shown], (), form)
    else:
        rows = [_row(one) for one in shown]
        metrics = list(dict.fromkeys(one.metric for entry in shown for one in entry.figures))
        columns = (*COLUMNS, *metrics)
        print_rows([{**dict.fromkeys(columns), **row} for row in rows], columns, form)


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "round": entry.round_index,
        "outcome": entry.outcome,
        "ended": entry.ended_at,
        "seconds": entry.seconds,
        "usd": entry.usd,
        "prompts": entry.prompts,
        "pairs": entry.pairs,
        "steps": entry.steps,
        **{one.metric: one.value for one in entry.figures},
    }


def _print(out: Console, entry: Entry) -> None:
    """A headline, then what there is to say, indented."""
    out.print(clean(f"round {entry.round_index}  {_outcome(entry)}"), soft_wrap=True)
    for label, text in _lines(entry):
        if text:
            out.print(clean(f"    {label:<11}{text}"), soft_wrap=True)
    out.print()


def _outcome(entry: Entry) -> str:
    said = OUTCOMES.get(entry.outcome, entry.outcome)
    for one in entry.decisions:
        what = f"{one.get('action')}, by {one.get('by')}: {one.get('reason')}"
        said += f"; then decided by a person: {what}"
    return said


def _lines(entry: Entry) -> list[tuple[str, str]]:
    came = "next reference" if entry.refreshed else f"reference stays {entry.reference[:12]}"
    return [
        ("policy", f"{entry.policy[:12]} from {entry.reference[:12]}; {came}"),
        ("ended", entry.ended_at),
        ("time", "not noted" if entry.seconds is None else seconds_shown(entry.seconds)),
        ("cost", f"{entry.usd:,.4f} USD" if entry.usd else "nothing was paid"),
        ("data", _data(entry)),
        ("figures", _figures(entry)),
        ("gate", "; ".join(entry.reasons)),
        ("changed", ", ".join(map(change_shown, entry.changed))),
        (
            "redone",
            ", ".join(f"{verb} \N{MULTIPLICATION SIGN}{n}" for verb, n in entry.redo.items()),
        ),
        ("code", ", ".join(entry.code)),
    ]


def _data(entry: Entry) -> str:
    labels = f"{entry.labels:,} labels, " if entry.labels else ""
    return (
        f"{entry.prompts:,} prompts, {entry.responses:,} responses, {entry.pairs:,} pairs, "
        f"{labels}{entry.steps:,} steps"
    )


def _figures(entry: Entry) -> str:
    return ", ".join(
        f"{one.metric} {one.value:.3f} ({one.low:.3f} to {one.high:.3f}, n {one.n:,})"
        for one in entry.figures
    )


def change_shown(change: Change) -> str:
    """A setting with both its values: training.epochs 2 -> 3."""
    return f"{change.key} {_value(change.before)} \N{RIGHTWARDS ARROW} {_value(change.after)}"


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:80]}\N{HORIZONTAL ELLIPSIS}"
