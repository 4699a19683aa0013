"""`tso run`: rounds in this process, with a server of its own if none is configured."""

from collections.abc import Mapping
from typing import Any

from flows.cli.status import print_rounds
from flows.cli.terminal import console
from infra.prefect.server import local_api
from infra.storage import open_store
from tasks.rounds import committed_rounds, resolve


def run_rounds(
    name: str, preset: str, overrides: Mapping[str, Any], rounds: int, until: int | None
) -> None:
    """Run the flow to its end; what went wrong in it is raised here."""
    out = console()
    config, _ = resolve(preset, overrides)
    store = open_store(config.storage)
    before = len(committed_rounds(store, name))
    if until is not None and before >= until:
        out.print(f"{name}: all {before} rounds are done already; nothing to do")
    else:
        # Imported first: Prefect sets its log up on import, which local_api then quietens.
        from flows.tso import tso

        with local_api():
            state = tso(
                run=name,
                preset=preset,
                overrides=dict(overrides),
                rounds=rounds,
                until=until,
                return_state=True,
            )
            state.result(raise_on_failure=True)
        if state.message:
            out.print(state.message)
    print_rounds(out, store, name)
