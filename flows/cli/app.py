"""Commands of `tso`; each command's work is in a module of its own, imported when it runs."""

import sys
import traceback
from typing import Annotated

import typer

from flows.cli.exit_codes import BUG, exit_code_of
from tasks.errors import ConfigError

app = typer.Typer(
    name="tso",
    help="Self-training with scaled preference optimization: rounds that resume by themselves.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(help="Name of the run; it grows with every call.")]
Preset = Annotated[str, typer.Option(help="A preset's name, or a path to a .yaml file.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="key=value replaces one setting, e.g. training.epochs=2."),
]


@app.callback()
def _all_commands() -> None:
    """Keep `tso COMMAND` even while there are few commands."""


@app.command()
def run(
    name: Name,
    preset: Preset,
    until: Annotated[int | None, typer.Option(help="Go on until there are N rounds.")] = None,
    rounds: Annotated[int, typer.Option(help="Rounds to add, if --until is not given.")] = 1,
    settings: Settings = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, print the plan, do nothing.")
    ] = False,
) -> None:
    """Do rounds of TSO, or finish the one that was interrupted."""
    overrides = overrides_of(settings or [])
    if dry_run:
        from flows.cli.dry_run import show_plan

        show_plan(name, preset, overrides, rounds, until)
        return
    from flows.cli.run import run_rounds

    run_rounds(name, preset, overrides, rounds, until)


@app.command()
def status(name: Name, preset: Preset, settings: Settings = None) -> None:
    """Show what a run has done and what it is doing."""
    from flows.cli.status import show_status

    show_status(name, preset, overrides_of(settings or []))


@app.command()
def leaderboard(
    preset: Annotated[str, typer.Argument(help="A preset's name, or a path to a .yaml file.")],
    run: Annotated[str, typer.Option(help="Rank by the verdicts of this run's rounds.")] = "",
    split: Annotated[str, typer.Option(help="Prompts of recorded data: a split, or all.")] = "all",
    against: Annotated[str, typer.Option(help="Count only comparisons with this cell.")] = "",
    form: Annotated[str, typer.Option("--as", help="table, csv or json.")] = "table",
    settings: Settings = None,
) -> None:
    """Rank the cells by verdicts: of a run, or of the preset's recorded data (no model needed)."""
    from flows.cli.leaderboard import show_leaderboard

    show_leaderboard(preset, overrides_of(settings or []), run, split, against, form)


def overrides_of(settings: list[str]) -> dict[str, object]:
    """{dotted key: value} of `key=value` texts; values are read as YAML."""
    from infra.presets import parse_value

    overrides: dict[str, object] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {setting!r}: write key=value, e.g. training.epochs=2")
        overrides[key] = parse_value(value)
    return overrides


def run_app() -> None:
    """Run the command line; errors become one message and an exit code (flows/cli/exit_codes)."""
    try:
        app(standalone_mode=True)
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        code = exit_code_of(error)
        if code == BUG:
            traceback.print_exc()
        sys.stderr.write(f"tso: {error or type(error).__name__}\n")
        sys.exit(code)
