"""`tso status`: rounds of a run, the figures that matter, and what is under way."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from flows.cli.terminal import console
from infra.annotation.batch_rounds import newest
from infra.annotation.batches import open_batch
from infra.annotation.said import progress_line
from infra.forks import check_forked, origin_of
from infra.place import spent_by
from infra.run_tree import RunTree
from infra.storage import Store, open_store
from tasks.config import Config
from tasks.errors import ConfigError
from tasks.retiring import shares_of
from tasks.rounds import resolve

SHOWN_ROUNDS = 8
"""Rounds that fit beside each other on a terminal."""


def show_status(name: str, preset: str, overrides: Mapping[str, Any]) -> None:
    """Print the rounds of run `name`; ConfigError if the store knows no such run."""
    config, _ = resolve(preset, overrides)
    store = open_store(config.storage)
    tree = RunTree(store, name)
    if tree.read("frozen.json") is None:
        raise ConfigError(
            f"no run {name!r} in {config.storage.root}; "
            f"`tso run {name} --preset {preset}` begins it"
        )
    out = console()
    _print_origin(out, tree)
    print_rounds(out, store, name)
    _print_shares(out, config, tree)
    _print_spent(out, config, store, name)
    _print_unfinished(out, tree)


def print_rounds(out: Console, store: Store, name: str) -> None:
    """A column for each of the last committed rounds, and where the newest report is."""
    manifests = RunTree(store, name).manifests()
    if not manifests:
        out.print(f"{name}: no round is finished yet")
        return
    shown = manifests[-SHOWN_ROUNDS:]
    table = Table(title=f"run {name}", title_justify="left")
    table.add_column("round")
    for one in shown:
        table.add_column(str(one["round_index"]), justify="right")
    for label, values in _rows(shown):
        table.add_row(label, *values)
    out.print(table)
    out.print(f"newest report: {manifests[-1]['report']}", soft_wrap=True)


def _rows(manifests: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    """What is said of each round, line by line."""
    figures = sorted({key for one in manifests for key in one["figures"]})
    return [
        ("prompts", [str(one["counts"]["collect-train"]["drawn"]) for one in manifests]),
        ("pairs", [str(one["counts"]["pair"]["pairs"]) for one in manifests]),
        *_labels(manifests),
        ("steps", [str(one["policy"]["step"]) for one in manifests]),
        *((key, [_number(one["figures"].get(key)) for one in manifests]) for key in figures),
        *_usd(manifests),
        ("gate", [one["gate"]["outcome"] for one in manifests]),
    ]


def _labels(manifests: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    """Labels of single responses; no line where no round has any."""
    numbers = [one["counts"]["pair"].get("labels", 0) for one in manifests]
    return [("labels", [str(one) for one in numbers])] if any(numbers) else []


def _usd(manifests: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    """What each round's calls cost; no line where nothing was paid."""
    sums = [sum(one.get("spent_usd", {}).values()) for one in manifests]
    return [("USD", [f"{one:,.4f}" for one in sums])] if any(sums) else []


def _print_origin(out: Console, tree: RunTree) -> None:
    """Where a fork comes from."""
    if origin := origin_of(tree):
        out.print(
            f"forked from {origin['run']}@{origin['round_index']} "
            f"(manifest {origin['manifest'][:12]})"
        )
        check_forked(tree)


def _print_shares(out: Console, config: Config, tree: RunTree) -> None:
    """Cells that will not answer every prompt of the next round."""
    shares = shares_of(config, tree.manifests())
    parts = [f"{cell} {share:.0%}" for cell, share in shares.items() if share < 1]
    if parts:
        out.print(f"share of the next round's prompts: {', '.join(parts)}")


def _print_spent(out: Console, config: Config, store: Store, name: str) -> None:
    """What calls to servers have cost, by verb, and what the run may spend."""
    ledger = spent_by(store, name)
    parts = ledger.parts()
    if not parts:
        return
    listed = ", ".join(f"{verb} {who} {one.usd:,.4f}" for (verb, who), one in parts.items())
    all_of_it, limit = ledger.spent(), config.budget.usd_per_run
    of = "" if limit is None else f" of {limit:,.2f}"
    out.print(
        f"spent: {all_of_it.usd:,.4f}{of} USD on {all_of_it.calls:,} calls ({listed})",
        soft_wrap=True,
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _print_unfinished(out: Console, tree: RunTree) -> None:
    """What the round after the last committed one has done so far, and who holds the run."""
    index = len(tree.manifests())
    config = tree.read_round(index, "config.json")
    if config is not None:
        done = tree.roles_done(index)
        out.print(f"round {index} is unfinished; done so far: {', '.join(done) or 'nothing'}")
    if newest(tree, index) is not None:
        batch = open_batch(tree.store, tree.folder.rpartition("/")[2], index)
        waits = "asked people" if batch.closed else "waits for people"
        out.print(f"round {index} {waits}: {progress_line(batch)}", soft_wrap=True)
    lease = tree.read("lease.json")
    if lease is not None:
        holder = lease["holder"]
        since = datetime.fromtimestamp(lease["since"], UTC).isoformat(timespec="seconds")
        out.print(
            f"held by flow run {holder['flow_run_id']} (process {holder['pid']} on "
            f"{holder['host']}) since {since}"
        )
