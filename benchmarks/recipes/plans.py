"""Plans of `benchmarks.study` whose variants are recipes over one preset."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.study.plan import Plan, plan_of
from docs.recipes import shipped
from infra.presets import read_recipe
from tasks.errors import ConfigError

FOLDER = Path(__file__).parent
MAIN = "tso"
"""The preset without a recipe."""
EVERY = "every"


def recipes_plan(path: Path) -> Plan:
    """The plan of the file at `path`; a variant is `all`, under its recipe, under its own settings.

    Raises ConfigError for a recipe that there is not.
    """
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    recipes, without = data.pop("recipes"), data.pop("without", {})
    named = [one for one in shipped() if one not in without] if recipes == EVERY else recipes
    own: Mapping[str, Any] = data.pop("variants", {})
    if unknown := sorted({*own, *without} - {MAIN, *shipped()}):
        raise ConfigError(f"{path}: there is no recipe {unknown[0]!r}")
    variants = {MAIN: own.get(MAIN, {})}
    variants |= {one: {**read_recipe(one)["set"], **own.get(one, {})} for one in named}
    titles = {MAIN: "TSO"} | {one: read_recipe(one)["recipe"]["title"] for one in named}
    return plan_of(path, {**data, "variants": variants, "titles": titles})
