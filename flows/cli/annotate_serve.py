"""`tso annotate serve` and `tso annotate link`: the annotation page, and who may answer on it."""

import os
import sys
from typing import Annotated

import typer

from flows.cli.arguments import Name, Preset, Settings, overrides_of

Annotators = Annotated[
    list[str] | None,
    typer.Option("--annotator", help="Who answers, once for each; you, if nobody is named."),
]
Port = Annotated[int, typer.Option(help="That it listens on, on this machine alone.")]
Address = Annotated[
    str, typer.Option(help="Where people reach it behind a proxy: https://annotate.example.com")
]
Days = Annotated[float, typer.Option(min=0.01, help="How long the links work.")]


def add_to(app: typer.Typer) -> None:
    """Give `app` the commands of this module."""
    app.command()(serve)
    app.command()(link)


def serve(
    name: Name,
    preset: Preset,
    annotator: Annotators = None,
    port: Port = 4204,
    address: Address = "",
    settings: Settings = None,
) -> None:
    """Serve the annotation page, and print a link for each annotator."""
    from infra.annotation.batches import open_batch
    from infra.annotation.page.access import load_keys
    from infra.annotation.page.serving import check_free, local_address, server_of
    from infra.storage import open_store
    from tasks.rounds import resolve

    config, _ = resolve(preset, overrides_of(settings or []))
    store, keys = open_store(config.storage), load_keys()
    batch = open_batch(store, name)
    check_free(port)
    server = server_of(store, keys, port, address)
    say(f"{batch.label}: {len(batch.items()):,} items. Ctrl-C ends it; answers are kept.")
    print_links(name, annotator, address or local_address(port))
    server.run()


def link(
    name: Name,
    annotators: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Who answers; you, if nobody.")
    ] = None,
    address: Annotated[
        str, typer.Option(help="Of the page; by default TSO_ANNOTATE_URL, or this machine.")
    ] = "",
    days: Days = 30.0,
) -> None:
    """Print the links of annotators; whoever has one answers under that name."""
    print_links(name, annotators, address, days)


def print_links(run: str, annotators: list[str] | None, address: str, days: float = 30.0) -> None:
    """A line for each annotator: links are secret, so they go to the terminal and nowhere else."""
    from infra.annotation.page.access import DAY_SECONDS, link, load_keys
    from infra.annotation.page.serving import PORT, URL_VARIABLE, local_address, local_annotator

    base = address or os.environ.get(URL_VARIABLE) or local_address(PORT)
    keys = load_keys()
    for annotator in annotators or [local_annotator()]:
        say(f"{annotator:<12} {link(base, keys, run, annotator, days * DAY_SECONDS)}")


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
