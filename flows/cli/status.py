"""`tso status`: rounds of a run, the figures that matter, and what is under way."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.run_tree import RunTree
from infra.storage import Store, open_store
from tasks.errors import ConfigError
from tasks.rounds import resolve


def show_status(name: str, preset: str, overrides: Mapping[str, Any]) -> None:
    """Print the rounds of run `name`; ConfigError if the store knows no such run."""
    config, _ = resolve(preset, overrides)
    store = open_store(config.storage.root)
    tree = RunTree(store, name)
    if tree.read("frozen.json") is None:
        raise ConfigError(
            f"no run {name!r} in {config.storage.root}; "
            f"`tso run {name} --preset {preset}` begins it"
        )
    console = Console()
    print_rounds(console, store, name)
    _print_unfinished(console, tree)


def print_rounds(console: Console, store: Store, name: str) -> None:
    """A table of the committed rounds, and where their reports are."""
    manifests = RunTree(store, name).manifests()
    if not manifests:
        console.print(f"{name}: no round is finished yet")
        return
    figures = sorted({key for one in manifests for key in one["figures"]})
    table = Table(title=f"run {name}", title_justify="left")
    for heading in ("round", "prompts", "pairs", "steps", "gate", *figures):
        table.add_column(heading, justify="right" if heading != "gate" else "left")
    for one in manifests:
        counts = one["counts"]
        table.add_row(
            str(one["round_index"]),
            str(counts["collect-train"]["drawn"]),
            str(counts["pair"]["pairs"]),
            str(one["policy"]["step"]),
            one["gate"]["outcome"],
            *(_number(one["figures"].get(key)) for key in figures),
        )
    console.print(table)
    console.print(f"newest report: {manifests[-1]['report']}", soft_wrap=True)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _print_unfinished(console: Console, tree: RunTree) -> None:
    """What the round after the last committed one has done so far, and who holds the run."""
    index = len(tree.manifests())
    config = tree.read_round(index, "config.json")
    if config is not None:
        prefix = f"{tree.round_folder(index)}/stages/"
        done = [path.removeprefix(prefix)[:-5] for path in tree.store.list(prefix.rstrip("/"))]
        console.print(f"round {index} is unfinished; done so far: {', '.join(done) or 'nothing'}")
    lease = tree.read("lease.json")
    if lease is not None:
        console.print(f"held by {lease}")
