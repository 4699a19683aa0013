"""`tso gc`: what no run needs any more, by reason; deleted only when asked to."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from flows.cli.terminal import bytes_shown, console
from infra.garbage import Grace
from tasks.clear import clear
from tasks.rounds import resolve


def collect_garbage(
    preset: str, overrides: Mapping[str, Any], grace: Grace, *, delete: bool
) -> None:
    """Print what may go and what it frees; delete it if asked to."""
    config, _ = resolve(preset, overrides)
    found = clear(config.storage, grace, "tso gc", delete=delete)
    table = Table(title=f"not needed in {found.root}", title_justify="left")
    for heading in ("what", "objects", "bytes"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for pile in found.piles:
        size = "unknown" if pile.uploads else bytes_shown(pile.size)
        table.add_row(pile.role, f"{pile.count:,}", size)
    out = console()
    out.print(table)
    if found.freed is None:
        out.print("nothing was deleted: --delete does it")
    else:
        out.print(f"deleted; {bytes_shown(found.freed)} are free again")
