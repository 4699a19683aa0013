"""`tso run --dry-run`: everything is resolved and checked, the plan printed, nothing done."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from flows.cli.checks import Preparation
from flows.cli.terminal import console
from infra.run_tree import RunTree
from infra.storage import open_store
from tasks.plan import Line
from tasks.rounds import place_of, previewed


def show_plan(
    name: str, preset: str, overrides: Mapping[str, Any], rounds: int, until: int | None
) -> None:
    """Check what `tso run` would check, then print what it would do at most."""
    found = previewed(name, preset, overrides, rounds, until)
    tree = RunTree(open_store(found.config.storage.root), name)
    manifests = tree.manifests()
    out = console()
    out.print(f"{name}: {len(manifests)} rounds are done in {tree.store.root}", soft_wrap=True)
    if not found.claim.indices:
        out.print("nothing to do")
        return
    first, last = found.claim.first_index, found.claim.last_index
    out.print(f"to do: rounds {first} to {last}" if last > first else f"to do: round {first}")
    _print_done(out, tree, first)
    if found.redo:
        out.print(f"done again in round {first}: {', '.join(found.redo)}")
    preparation = Preparation(found.config, place_of(found, first, {}))
    for check in preparation.later_checks():
        check.look()
    _print_plan(out, preparation.plan)
    for said in preparation.forecast:
        out.print(said, soft_wrap=True)
    for setting, verb, spot in found.config.placement.elsewhere:
        shared = f", shared by {spot.workers} workers" if spot.workers > 1 else ""
        out.print(f"{setting}: tso-{verb}/{spot.deployment}{shared}", soft_wrap=True)
    groups = "; then ".join(" + ".join(group) for group in preparation.groups)
    out.print(f"sampled side by side: {groups}", soft_wrap=True)
    needed, free = preparation.disk
    out.print(f"disk: about {needed / 1e6:,.1f} MB a round; {free / 1e9:,.1f} GB free here")


def _print_done(out: Console, tree: RunTree, round_index: int) -> None:
    done = tree.roles_done(round_index)
    if done:
        out.print(f"round {round_index} is begun; already done: {', '.join(done)}", soft_wrap=True)


def _print_plan(out: Console, lines: Sequence[Line]) -> None:
    table = Table(title="one round, at most", title_justify="left")
    for heading in ("verb", "what", "amount", "unit", "paid calls", "tokens", "USD"):
        table.add_column(
            heading, justify="left" if heading in ("verb", "what", "unit") else "right"
        )
    for line in lines:
        table.add_row(
            line.verb,
            line.what,
            f"{line.amount:,}",
            line.unit,
            f"{line.paid_calls:,}" if line.paid_calls else "",
            f"{line.tokens:,}" if line.tokens else "",
            "" if line.cost_usd is None else f"{line.cost_usd:,.2f}",
        )
    out.print(table)
