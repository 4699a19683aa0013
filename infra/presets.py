"""Preset files: from `flows/presets/` and from the folder that TSO_PRESETS names."""

import os
from pathlib import Path
from typing import Any

import yaml

from tasks.errors import ConfigError

SHIPPED = Path(__file__).resolve().parents[1] / "flows" / "presets"


def preset_files() -> dict[str, Path]:
    """Preset files by name; a file of TSO_PRESETS hides a shipped one of the same name."""
    folders = [SHIPPED]
    if own := os.environ.get("TSO_PRESETS"):
        folders.append(Path(own))
    return {file.stem: file for folder in folders for file in sorted(folder.glob("*.yaml"))}


def read_preset(name: str) -> dict[str, Any]:
    """The content of preset `name`, or of the file if `name` is a path that ends in .yaml."""
    file = Path(name) if name.endswith((".yaml", ".yml")) else preset_files().get(name)
    if file is None or not file.is_file():
        known = ", ".join(sorted(preset_files())) or "none"
        raise ConfigError(
            f"no preset {name!r}; available: {known}. Give a path to a .yaml file, "
            "or put yours into a folder and name it in TSO_PRESETS"
        )
    return parse_preset(file.read_text(encoding="utf-8"), str(file))


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
