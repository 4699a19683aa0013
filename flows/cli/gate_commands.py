"""Commands about what a run goes on from: the gate's word, and people's over it."""

from typing import Annotated

import typer

from flows.cli.arguments import Name, Preset, Settings, overrides_of
from tasks.errors import ConfigError

Reason = Annotated[str, typer.Option(help="Why; it is kept beside the round.")]
By = Annotated[str, typer.Option(help="Who decides; by default the user of this machine.")]


def gate(
    name: Name,
    preset: Preset,
    round_index: Annotated[
        int | None, typer.Argument(metavar="[ROUND]", help="A round; the newest if not given.")
    ] = None,
    promote: Annotated[
        bool, typer.Option("--promote", help="Go on from the policy, whatever the gate said.")
    ] = False,
    refuse: Annotated[
        bool, typer.Option("--refuse", help="Go on from the reference as before the round.")
    ] = False,
    reason: Reason = "",
    by: By = "",
    settings: Settings = None,
) -> None:
    """Show what the gate saw and said of a round, or overrule it."""
    from flows.cli.gate import overrule, show_gate

    overrides = overrides_of(settings or [])
    if promote and refuse:
        raise ConfigError("--promote and --refuse contradict each other; keep one of them")
    if promote or refuse:
        action = "promote" if promote else "refuse"
        overrule(name, round_index, action, (reason, by), preset, overrides)  # type: ignore[arg-type]
    else:
        show_gate(name, round_index, preset, overrides)


def rollback(
    name: Name,
    round_index: Annotated[
        int, typer.Argument(metavar="ROUND", help="The round whose outcome to go on from.")
    ],
    preset: Preset,
    reason: Reason = "",
    by: By = "",
    settings: Settings = None,
) -> None:
    """Go on from an earlier round; no round is lost."""
    from flows.cli.gate import roll_back

    roll_back(name, round_index, (reason, by), preset, overrides_of(settings or []))


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(gate)
    app.command()(rollback)
