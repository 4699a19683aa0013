"""`tso gc`: what no run needs any more, by reason; deleted only when asked to."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from flows.cli.terminal import bytes_shown, console
from infra.garbage import Grace, piles_of, throw_away
from infra.lease import Holder, Lease
from infra.storage import open_store
from tasks.errors import ConfigError
from tasks.rounds import resolve


def collect_garbage(
    preset: str, overrides: Mapping[str, Any], grace: Grace, *, delete: bool
) -> None:
    """Print what may go and what it frees; delete it if asked to."""
    for name in ("stages", "unfinished", "uploads"):
        if getattr(grace, name) < 0:
            raise ConfigError(f"a grace of {getattr(grace, name)} days: it must be 0 or more")
    config, _ = resolve(preset, overrides)
    store = open_store(config.storage)
    out = console()
    with Lease(store, "gc/lease.json", Holder.here("tso gc")):
        piles = piles_of(store, grace)
        table = Table(title=f"not needed in {store.root}", title_justify="left")
        for heading in ("what", "objects", "bytes"):
            table.add_column(heading, justify="left" if heading == "what" else "right")
        for pile in piles:
            size = "unknown" if pile.uploads else bytes_shown(pile.size)
            table.add_row(pile.role, f"{pile.count:,}", size)
        out.print(table)
        if delete:
            freed = throw_away(store, piles)
            out.print(f"deleted; {bytes_shown(freed)} are free again")
        else:
            out.print("nothing was deleted: --delete does it")
