"""`tso stack`: bring the whole stack up on this machine, look at it, take it down."""

import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from flows.cli.exit_codes import CHILD
from flows.cli.terminal import clean, console
from infra.stack.database import data_folder
from infra.stack.logs import followed, log_tail
from infra.stack.parts import parts_of, store_root, worker_files
from infra.stack.settings import StackSettings, chosen_settings, load_settings, stack_folder
from infra.stack.state import UP, states_of
from infra.stack.supervision import Supervision
from infra.vllm.machine import visible_gpus
from tasks.errors import ConfigError

stack = typer.Typer(
    help="Bring up everything on this machine, and take it down.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Folder = Annotated[
    str | None, typer.Option(help="The stack's folder; else TSO_STACK, else work/stack.")
]


@stack.command()
def up(
    folder: Folder = None,
    port: Annotated[
        int | None, typer.Option(help="Of the UI (4200); the four after it are taken, too.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(help="s3: a server of its own (default); folder: a folder of its own; a URI."),
    ] = None,
    gpus: Annotated[
        int | None, typer.Option(help="Flow runs at a time on each GPU pool (as many as GPUs).")
    ] = None,
) -> None:
    """Bring everything up, or repair what is not up; what runs is left alone."""
    from infra.stack.stack import bring_up

    began = time.monotonic()
    if gpus is None:
        gpus = len(visible_gpus()) or None
    changes = {"port": port, "store": store, "gpus": gpus}
    settings = chosen_settings(stack_folder(folder), Path.cwd(), changes)
    bring_up(settings, say)
    say(f"all parts are up after {time.monotonic() - began:.0f} s")
    _print_addresses(settings)


@stack.command()
def status(folder: Folder = None) -> None:
    """Show each part: whether it is up, since when, and its log; exit code 5 if one is not."""
    settings = load_settings(stack_folder(folder))
    if not Supervision(settings).alive():
        say(f"the stack in {settings.folder} is down; `tso stack up` brings it up")
        sys.exit(CHILD)
    states = states_of(settings)
    table = Table("part", "state", "process", "for", "memory", "log")
    for one in states:
        lasted = str(timedelta(seconds=int(one.seconds)))
        shown = (one.name, one.state, str(one.pid), lasted, f"{one.memory >> 20} MB")
        table.add_row(*shown, Path(one.log).name)
    console().print(table)
    _print_addresses(settings)
    sys.exit(0 if all(one.state == UP for one in states) else CHILD)


@stack.command()
def logs(
    name: Annotated[str | None, typer.Argument(help="A part; all if not given.")] = None,
    lines: Annotated[int, typer.Option(help="Of each log.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines.")] = False,
    folder: Folder = None,
) -> None:
    """Show the ends of the logs of the parts."""
    settings = load_settings(stack_folder(folder))
    known = {part.name: Path(part.log) for part in parts_of(settings)}
    known["supervisor"] = settings.logs / "supervisord.log"
    if name is not None and name not in known:
        raise ConfigError(f"no part {name!r}; parts are: {', '.join(known)}")
    chosen = {part: log for part, log in known.items() if name in (None, part)}
    for part, log in chosen.items():
        for line in log_tail(log, lines).splitlines():
            say(f"{part} | {clean(line)}")
    if follow:
        for part, line in followed(chosen):
            say(f"{part} | {clean(line)}")


@stack.command()
def down(folder: Folder = None) -> None:
    """Stop everything, workers first; data stay. Flow runs that are under way become Crashed."""
    from infra.stack.stack import take_down

    take_down(stack_folder(folder), say)


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _print_addresses(settings: StackSettings) -> None:
    made, own = worker_files(settings)
    say(f"UI       {settings.url_of('prefect')}")
    say(f"reports  {settings.url_of('reports')}")
    say(f"people   {settings.url_of('annotation')} (their links: tso annotate link RUN NAME)")
    say(f"store    {store_root(settings)} (its variables: {made})")
    say(f"keys     {own}: variables of the workers")
    say(f"logs     {settings.logs}")
    say(f"data     {data_folder(settings)} (PostgreSQL)")
    say(f"In a shell of yours:  set -a; . {made}; set +a; export PREFECT_API_URL={settings.api}")
