"""Preset files: from `flows/presets/` and from the folder that TSO_PRESETS names.

`quickstart+rso` is the preset `quickstart` with the recipe `rso` laid over it: a file of a
folder `recipes/` beside the presets, which says what a method is and which settings it takes.
"""

import os
import re
from pathlib import Path
from typing import Any

import yaml

from tasks.errors import ConfigError
from tasks.layers import with_overrides

SHIPPED = Path(__file__).resolve().parents[1] / "flows" / "presets"
RECIPES = "recipes"
FACTS = ("title", "paper", "about")
"""What a recipe says of itself: the method's name, its arXiv number or empty, a sentence."""
A_FILE = re.compile(r"(.+?\.ya?ml)((?:\+[^+/]*)*)")
"""A path with recipes after it; a plus within the path is part of it."""


def preset_files() -> dict[str, Path]:
    """Preset files by name; a file of TSO_PRESETS hides a shipped one of the same name."""
    return {file.stem: file for folder in _folders() for file in sorted(folder.glob("*.yaml"))}


def recipe_files() -> dict[str, Path]:
    """Recipe files by name; as for presets, one of your own hides a shipped one."""
    folders = [folder / RECIPES for folder in _folders()]
    return {file.stem: file for folder in folders for file in sorted(folder.glob("*.yaml"))}


def _folders() -> list[Path]:
    own = os.environ.get("TSO_PRESETS")
    return [SHIPPED, Path(own)] if own else [SHIPPED]


def parts_of(name: str) -> tuple[str, list[str]]:
    """The preset (a name or a path) and the recipes over it that `name` says, in their order."""
    if found := A_FILE.fullmatch(name):
        return found[1], found[2].split("+")[1:]
    base, *recipes = name.split("+")
    return base, recipes


def read_preset(name: str) -> dict[str, Any]:
    """The content of preset `name`, or of the file if `name` is a path that ends in .yaml.

    Recipes follow after a plus, later ones laid over earlier ones: `quickstart+rso`,
    `mine.yaml+rso+rpo`.
    """
    base, recipes = parts_of(name)
    data = _read_base(base)
    for recipe in recipes:
        data = with_overrides(data, read_recipe(recipe)["set"])
    return data


def _read_base(name: str) -> dict[str, Any]:
    file = Path(name) if name.endswith((".yaml", ".yml")) else preset_files().get(name)
    if file is None or not file.is_file():
        known = ", ".join(sorted(preset_files())) or "none"
        raise ConfigError(
            f"no preset {name!r}; available: {known}. Give a path to a .yaml file, "
            "or put yours into a folder and name it in TSO_PRESETS"
        )
    return parse_preset(file.read_text(encoding="utf-8"), str(file))


def read_recipe(name: str) -> dict[str, Any]:
    """The recipe `name`: `recipe` (title, paper, about) and `set` (settings by dotted key)."""
    file = recipe_files().get(name)
    if file is None:
        raise ConfigError(
            f"no recipe {name!r}; available: {_listed()}. Put one of your own into the folder "
            f"{RECIPES}/ of the folder that TSO_PRESETS names"
        )
    data = parse_preset(file.read_text(encoding="utf-8"), str(file))
    _check_recipe(data, file)
    return data


def _listed() -> str:
    """The recipes there are, with their titles."""
    titles = {name: read_recipe(name)["recipe"]["title"] for name in sorted(recipe_files())}
    return ", ".join(f"{name} ({title})" for name, title in titles.items()) or "none"


def _check_recipe(data: dict[str, Any], file: Path) -> None:
    facts, settings = data.get("recipe"), data.get("set")
    if data.keys() != {"recipe", "set"} or not isinstance(settings, dict):
        raise ConfigError(
            f"{file} is no recipe: it has {', '.join(map(str, data))}; a recipe has `recipe:` "
            f"({', '.join(FACTS)}) and `set:` (settings by dotted key)"
        )
    texts = isinstance(facts, dict) and all(isinstance(one, str) for one in facts.values())
    if not isinstance(facts, dict) or facts.keys() != set(FACTS) or not texts:
        raise ConfigError(
            f"{file}: `recipe:` is {facts!r}; write {', '.join(FACTS)}, each a text (an arXiv "
            'number in quotes, "" if there is no paper)'
        )


def replaced_settings(recipes: list[str]) -> dict[str, list[str]]:
    """By recipe, the dotted keys that a later one of `recipes` sets again, itself or as a part."""
    keys = [list(read_recipe(name)["set"]) for name in recipes]
    found: dict[str, list[str]] = {}
    for index, name in enumerate(recipes):
        later = [key for some in keys[index + 1 :] for key in some]
        lost = [key for key in keys[index] if any(_within(key, one) for one in later)]
        if lost:
            found[name] = lost
    return found


def _within(key: str, other: str) -> bool:
    return key == other or key.startswith(f"{other}.")


def parse_preset(text: str, where: str) -> dict[str, Any]:
    """The mapping that YAML `text` holds; ConfigError names place and problem."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where} is not YAML: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{where} holds {type(value).__name__}, needs sections (run, matrix, …)")
    return value


def parse_value(text: str) -> Any:
    """The value of `--set key=value`: read as YAML, so 1 is a number and [a, b] a list."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set value {text!r} is not YAML: {error}") from error
