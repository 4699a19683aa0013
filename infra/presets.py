"""Preset files: from `flows/presets/` and from the folder that TSO_PRESETS names.

`quickstart+rso` is the preset `quickstart` with the recipe `rso` laid over it: a file of a
folder `recipes/` beside the presets, which says what a method is and which settings it takes.
"""

import os
from pathlib import Path
from typing import Any

import yaml

from tasks.errors import ConfigError
from tasks.layers import with_overrides

SHIPPED = Path(__file__).resolve().parents[1] / "flows" / "presets"
RECIPES = "recipes"


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


def read_preset(name: str) -> dict[str, Any]:
    """The content of preset `name`, or of the file if `name` is a path that ends in .yaml.

    Recipes follow after a plus: `quickstart+rso`, `mine.yaml+rso`.
    """
    base, *recipes = name.split("+")
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
    """The recipe `name`: `recipe` (title, paper, what it is) and `set` (settings by dotted key)."""
    file = recipe_files().get(name)
    if file is None:
        known = ", ".join(sorted(recipe_files())) or "none"
        raise ConfigError(
            f"no recipe {name!r}; available: {known}. Put one of your own into the folder "
            f"{RECIPES}/ of the folder that TSO_PRESETS names"
        )
    data = parse_preset(file.read_text(encoding="utf-8"), str(file))
    if not {"recipe", "set"} <= data.keys() or not isinstance(data["set"], dict):
        raise ConfigError(f"{file} is no recipe; it needs `recipe:` and `set:` (dotted keys)")
    return data


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
