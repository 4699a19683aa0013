"""Commands of `tso` that read what rounds have left; each command's work is in its own module."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.arguments import Name, Preset, Settings, overrides_of


def add_to(app: typer.Typer) -> None:
    """Give `app` the commands of this module."""
    app.command()(log)
    app.command()(diff)
    app.command()(why)
    app.command()(card)
    app.command("what-if")(what_if)


def why(
    name: Name,
    pair: Annotated[
        str,
        typer.Argument(
            help="A pair_id or a labelled response's id, or its beginning; two ids: A,B."
        ),
    ],
    preset: Preset,
    round_index: Annotated[
        int | None, typer.Option("--round", help="Of this round; else the newest that knows it.")
    ] = None,
    form: Annotated[str, typer.Option("--as", help="text or json.")] = "text",
    settings: Settings = None,
) -> None:
    """Say where a pair comes from, and who decided it."""
    from flows.cli.why import show_why

    show_why(name, pair, round_index, preset, overrides_of(settings or []), form)


def log(
    name: Name,
    preset: Preset,
    number: Annotated[
        int | None, typer.Option("--rounds", "-n", help="The newest N rounds only.")
    ] = None,
    form: Annotated[str, typer.Option("--as", help="text, table, json or csv.")] = "text",
    settings: Settings = None,
) -> None:
    """Show the rounds of a run: outcome, figures, cost, time."""
    from flows.cli.log import show_log

    show_log(name, preset, overrides_of(settings or []), number, form)


def diff(
    before: Annotated[str, typer.Argument(metavar="RUN@ROUND", help="A round.")],
    after: Annotated[
        str, typer.Argument(metavar="RUN@ROUND", help="Another; @ROUND is one of the same run.")
    ],
    preset: Preset,
    slices: Annotated[
        bool, typer.Option("--slices", help="Figures of all slices, not of the whole alone.")
    ] = False,
    pairs: Annotated[int, typer.Option(help="Turned pairs that are shown, at most.")] = 5,
    form: Annotated[str, typer.Option("--as", help="text or json.")] = "text",
    settings: Settings = None,
) -> None:
    """Show what changed between two rounds."""
    from flows.cli.diff import Asked, show_diff

    asked = Asked(slices=slices, pairs=pairs, form=form)
    show_diff(before, after, preset, overrides_of(settings or []), asked)


def card(
    name: Name,
    preset: Preset,
    round_index: Annotated[
        int | None, typer.Argument(metavar="[ROUND]", help="As it was after this round.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write to.")] = None,
    settings: Settings = None,
) -> None:
    """Write cards of data and model, for model hubs."""
    from flows.cli.card import write_cards

    write_cards(name, round_index, preset, overrides_of(settings or []), out)


def what_if(
    source: Annotated[str, typer.Argument(metavar="RUN@ROUND", help="A committed round.")],
    preset: Preset,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value: a setting of pairs or correction to imagine."),
    ] = None,
    examples: Annotated[int, typer.Option(help="Pairs that are shown of each fate, at most.")] = 5,
    form: Annotated[str, typer.Option("--as", help="markdown or json.")] = "markdown",
) -> None:
    """Show what other settings make of a round's verdicts."""
    from flows.cli.what_if import show_what_if

    show_what_if(source, preset, overrides_of(settings or []), examples, form)
