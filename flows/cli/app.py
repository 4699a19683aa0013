"""Commands of `tso`; each command's work is in a module of its own, imported when it runs."""

import sys
import traceback
from typing import Annotated

import typer

from flows.cli import gate_commands, ledger_commands, recipe_commands, store_commands
from flows.cli.annotate import annotate
from flows.cli.arguments import PRESET, Name, Out, Preset, Settings, overrides_of
from flows.cli.completion import presets, runs
from flows.cli.exit_codes import BUG, exit_code_of
from flows.cli.stack import stack
from tasks.errors import ConfigError

app = typer.Typer(
    name="tso",
    help="Self-training with scaled preference optimization: rounds that resume by themselves.",
    epilog="Examples: docs/commands.md. Exit codes: docs/exit-codes.md.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(stack, name="stack")
app.add_typer(annotate, name="annotate")


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
    """Do rounds of TSO, or finish the interrupted one."""
    overrides = overrides_of(settings or [])
    if dry_run:
        from flows.cli.dry_run import show_plan

        show_plan(name, preset, overrides, rounds, until)
        return
    from flows.cli.run import run_rounds

    run_rounds(name, preset, overrides, rounds, until)


@app.command()
def check(
    preset: Annotated[str, typer.Argument(help=PRESET, autocompletion=presets)],
    settings: Settings = None,
) -> None:
    """Check all that a run needs; show every problem."""
    from flows.cli.check import show_checks

    show_checks(preset, overrides_of(settings or []))


@app.command()
def status(name: Name, preset: Preset, settings: Settings = None) -> None:
    """Show what a run has done and what it is doing."""
    from flows.cli.status import show_status

    show_status(name, preset, overrides_of(settings or []))


@app.command()
def leaderboard(
    preset: Annotated[str, typer.Argument(help=PRESET, autocompletion=presets)],
    run: Annotated[str, typer.Option(help="Rank by the verdicts of this run's rounds.")] = "",
    split: Annotated[str, typer.Option(help="Prompts of recorded data: a split, or all.")] = "all",
    against: Annotated[str, typer.Option(help="Count only comparisons with this cell.")] = "",
    form: Annotated[str, typer.Option("--as", help="table, csv or json.")] = "table",
    settings: Settings = None,
) -> None:
    """Rank cells by the verdicts of a run, or of recorded data."""
    from flows.cli.leaderboard import show_leaderboard

    show_leaderboard(preset, overrides_of(settings or []), run, split, against, form)


@app.command()
def ratings(
    name: Name,
    preset: Preset,
    form: Annotated[str, typer.Option("--as", help="table or json.")] = "table",
    settings: Settings = None,
) -> None:
    """Rate all checkpoints and cells of a run, with intervals."""
    from flows.cli.ratings import show_ratings

    show_ratings(name, preset, overrides_of(settings or []), form)


@app.command()
def show(
    run: Annotated[
        str, typer.Argument(help="Name of a run, or the URI of a stage.", autocompletion=runs)
    ],
    round_index: Annotated[int | None, typer.Argument(metavar="[ROUND]", help="A round.")] = None,
    role: Annotated[
        str | None, typer.Argument(metavar="[ROLE]", help="A stage, e.g. pair.")
    ] = None,
    preset: Annotated[
        str, typer.Option(help="The run's preset; a URI needs none.", autocompletion=presets)
    ] = "",
    table: Annotated[str, typer.Option(help="A table of the stage.")] = "rows",
    rows: Annotated[
        int | None, typer.Option(help="At most so many rows; 20 for people, all for programs.")
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="column=value: only rows where it holds.")
    ] = None,
    columns: Annotated[str, typer.Option(help="Only these columns: a,b,c.")] = "",
    form: Annotated[str, typer.Option("--as", help="table, text, json or csv.")] = "table",
    settings: Settings = None,
) -> None:
    """Show stages of a run, or the rows of one."""
    from flows.cli.show import Asked, show_run, show_uri

    named = tuple(name.strip() for name in columns.split(",") if name.strip())
    asked = Asked(table=table, rows=rows, where=tuple(where or ()), columns=named, form=form)
    if "/stages/" in run:
        show_uri(run, asked)
        return
    if not preset:
        raise ConfigError(f"run {run!r}: say --preset NAME, so that its store is known")
    show_run(run, preset, overrides_of(settings or []), round_index, role, asked)


@app.command()
def report(
    name: Name,
    preset: Preset,
    round_index: Annotated[
        int | None, typer.Argument(metavar="[ROUND]", help="A round; the whole run if not given.")
    ] = None,
    opened: Annotated[
        bool | None,
        typer.Option("--open/--no-open", help="Show it in a browser; by default at a terminal."),
    ] = None,
    out: Out = None,
    settings: Settings = None,
) -> None:
    """Make the report of a run, or of a round, again, and open it."""
    from flows.cli.report import write_report

    write_report(name, round_index, preset, overrides_of(settings or []), opened=opened, out=out)


@app.command()
def fork(
    source: Annotated[str, typer.Argument(metavar="RUN@ROUND", help="Where to branch off.")],
    new: Annotated[str, typer.Argument(help="Name of the new run.")],
    preset: Preset,
    settings: Settings = None,
) -> None:
    """Branch a run off: go on with other settings."""
    from flows.cli.fork import fork_run

    fork_run(source, new, preset, overrides_of(settings or []))


gate_commands.add_to(app)
ledger_commands.add_to(app)
recipe_commands.add_to(app)
store_commands.add_to(app)


@app.command()
def schema(
    of: Annotated[str, typer.Option(help="preset or recipe: which files it is of.")] = "preset",
    out: Out = None,
) -> None:
    """Write the JSON schema of presets, or of recipes, for editors."""
    from flows.cli.schema import write_schema

    write_schema(of, out)


@app.command()
def automations(
    notify: Annotated[
        str, typer.Option(help="A webhook's URL, or a block: slack-webhook/team.")
    ] = "",
    silence: Annotated[
        float, typer.Option(help="Seconds without a heartbeat after which a flow run is dead.")
    ] = 540.0,
    retries: Annotated[int, typer.Option(help="Of a crashed flow run, at most.")] = 3,
    remove: Annotated[bool, typer.Option("--remove", help="Take them away again.")] = False,
) -> None:
    """Let the Prefect server find, retry and report dead runs."""
    from flows.cli.automations import show_automations

    show_automations(notify, silence, retries, remove=remove)


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
