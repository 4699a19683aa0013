"""Commands about methods; each command's work is in a module of its own."""

from typing import Annotated

import typer

from flows.cli.completion import recipes as recipe_names


def add_to(app: typer.Typer) -> None:
    """Give `app` the commands of this module."""
    app.command()(recipes)


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
