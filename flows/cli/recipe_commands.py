"""Commands about methods; each command's work is in a module of its own."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.arguments import Settings, overrides_of
from flows.cli.completion import presets
from flows.cli.completion import recipes as recipe_names
from tasks.errors import ConfigError


def add_to(app: typer.Typer) -> None:
    """Give `app` the commands of this module."""
    app.command()(recipes)
    app.command()(compare)


def recipes(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[RECIPE]", help="One of them.", autocompletion=recipe_names),
    ] = None,
    form: Annotated[str, typer.Option("--as", help="table, text, json or csv.")] = "table",
) -> None:
    """List the methods that can be laid over a preset, or show one."""
    from flows.cli.recipes import show_recipe, show_recipes

    if name is None:
        show_recipes(form)
    else:
        show_recipe(name)


def compare(
    methods: Annotated[
        list[str],
        typer.Argument(
            metavar="PRESET+RECIPE...",
            help="Presets with recipes; others are held to the first.",
            autocompletion=presets,
        ),
    ],
    seeds: Annotated[str, typer.Option(help="Each method is run once with each: 0,1,2.")] = "0",
    until: Annotated[int, typer.Option(help="Rounds of the first; others get its prompts.")] = 1,
    name: Annotated[str, typer.Option(help="Begins the names of the runs.")] = "compare",
    out: Annotated[Path | None, typer.Option(help="Folder for table.md and table.json.")] = None,
    settings: Settings = None,
) -> None:
    """Run methods on the same prompts, and print what each came to."""
    from flows.cli.compare import Asked, run_comparison

    asked = Asked(name=name, methods=methods, seeds=numbers(seeds), until=until, out=out)
    run_comparison(asked, overrides_of(settings or []))


def numbers(text: str) -> list[int]:
    """The seeds that `text` lists, by commas or spaces; ConfigError for anything else."""
    try:
        return [int(one) for one in text.replace(",", " ").split()]
    except ValueError as error:
        raise ConfigError(f"--seeds {text!r}: write whole numbers, e.g. 0,1,2") from error
