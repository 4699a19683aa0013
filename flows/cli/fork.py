"""`tso fork`: a new run that goes on from a round of another."""

from collections.abc import Mapping
from typing import Any

from flows.cli.terminal import console
from infra.forks import fork
from infra.storage import open_store
from tasks.errors import ConfigError
from tasks.rounds import resolve


def fork_run(source: str, new: str, preset: str, overrides: Mapping[str, Any]) -> None:
    """Fork RUN@ROUND into `new`, and say how to go on."""
    run, at, number = source.rpartition("@")
    if not (run and at and number.isascii() and number.isdigit()):
        raise ConfigError(f"{source!r}: write RUN@ROUND, e.g. demo@3 for the rounds 0 to 3 of demo")
    config, _ = resolve(preset, overrides)
    fork(open_store(config.storage), run, int(number), new)
    out = console()
    out.print(f"{new}: has rounds 0 to {number} of {run} and shares their stages")
    out.print(f"go on with: tso run {new} --preset {preset}", soft_wrap=True)
