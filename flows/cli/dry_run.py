"""`tso run --dry-run`: everything is resolved and checked, the plan printed, nothing done."""

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.models import local_folder
from infra.run_tree import RunTree
from infra.storage import Store, open_store
from infra.work import work_root
from tasks.claims import frozen_facts_changed, new_claim
from tasks.collect import read_pool
from tasks.config import Config
from tasks.errors import StorageError
from tasks.plan import Line, Sizes, disk_bytes, plan_round
from tasks.prompts import Pool
from tasks.rounds import check_parts, resolve


def show_plan(
    name: str, preset: str, overrides: Mapping[str, Any], rounds: int, until: int | None
) -> None:
    """Check what `tso run` would check, then print what it would do at most."""
    config, redo = resolve(preset, overrides)
    store = open_store(config.storage.root)
    store.probe()
    tree = RunTree(store, name)
    sft = check_parts(config)
    frozen = tree.read("frozen.json")
    if frozen is not None:
        frozen_facts_changed(frozen, {"base model": sft.sha256}, name)
    claim = new_claim("dry-run", len(tree.manifests()), rounds, until)
    console = Console()
    console.print(f"{name}: {len(tree.manifests())} rounds are done in {store.root}")
    if not claim.indices:
        console.print("nothing to do")
        return
    console.print(f"to do: rounds {claim.first_index} to {claim.last_index}")
    _print_done(console, tree, claim.first_index)
    if redo:
        console.print(f"done again in round {claim.first_index}: {', '.join(redo)}")
    _print_plan(console, config, store)


def _print_done(console: Console, tree: RunTree, round_index: int) -> None:
    done = tree.roles_done(round_index)
    if done:
        console.print(f"round {round_index} is begun; already done: {', '.join(done)}")


def _print_plan(console: Console, config: Config, store: Store) -> None:
    pool = read_pool(config.prompts)
    folder = local_folder(config.run.base_model)
    sizes = Sizes(
        prompts=min(config.prompts.per_round, pool.counts["train"]),
        evaluation_prompts=min(config.prompts.held_out, pool.counts["held_out"]),
        prompt_bytes=_bytes(pool, "train", config.prompts.per_round),
        evaluation_bytes=_bytes(pool, "held_out", config.prompts.held_out),
        weight_bytes=sum(file.stat().st_size for file in folder.glob("*.safetensors")),
    )
    lines = plan_round(config, sizes)
    _print_lines(console, lines)
    _print_cost(console, lines)
    needed = disk_bytes(config, sizes, lines)
    free = shutil.disk_usage(work_root().parent if not work_root().exists() else work_root()).free
    console.print(f"disk: about {needed / 1e6:,.1f} MB a round; {free / 1e9:,.1f} GB free here")
    if needed > free:
        raise StorageError(
            f"one round needs about {needed:,} bytes under {work_root()}, {free:,} are free; "
            "free some, or set TSO_WORK to a larger disk"
        )


def _bytes(pool: Pool, split: str, count: int) -> int:
    """Bytes of the `count` longest prompts of `split`: those that are drawn have no more."""
    lengths = (
        sum(len(turn["content"].encode()) for turn in prompt.messages)
        for prompt in pool.prompts
        if prompt.split == split
    )
    return sum(sorted(lengths, reverse=True)[:count])


def _print_cost(console: Console, lines: Sequence[Line]) -> None:
    """The sum of what has a price, and what is paid without one."""
    costs = [line.cost_usd for line in lines if line.cost_usd is not None]
    if costs:
        console.print(f"cost: {sum(costs):,.2f} USD a round, at most")
    unknown = [line.what for line in lines if line.paid_calls and line.cost_usd is None]
    if unknown:
        console.print(f"cost of {', '.join(unknown)}: unknown, no `price` is given")


def _print_lines(console: Console, lines: Sequence[Line]) -> None:
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
    console.print(table)
