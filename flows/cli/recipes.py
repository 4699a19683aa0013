"""`tso recipes`: the methods that `--preset PRESET+RECIPE` lays over a preset."""

import yaml

from flows.cli.formats import checked_form, print_rows
from flows.cli.terminal import clean, console
from infra.presets import FACTS, read_recipe, recipe_files


def show_recipes(form: str) -> None:
    """Print all recipes, those of TSO_PRESETS among them."""
    checked_form(form)
    rows = [{"recipe": name, **read_recipe(name)["recipe"]} for name in sorted(recipe_files())]
    print_rows(rows, ("recipe", *FACTS), form)


def show_recipe(name: str) -> None:
    """Print what recipe `name` is, the settings that it takes, and how a run is given it."""
    recipe = read_recipe(name)
    facts = recipe["recipe"]
    paper = f" (arXiv {facts['paper']})" if facts["paper"] else ""
    out = console()
    out.print(clean(f"{name}: {facts['title']}{paper}"), soft_wrap=True)
    out.print(clean(facts["about"]), soft_wrap=True)
    written = yaml.safe_dump(recipe["set"], sort_keys=False, allow_unicode=True, width=100)
    out.print(f"\n{clean(written)}", end="", soft_wrap=True)
    out.print(f"\ntso run NAME --preset quickstart+{name}", soft_wrap=True)
