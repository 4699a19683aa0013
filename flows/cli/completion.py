"""What the shell completes: names of presets, and names of runs where a look costs nothing."""

import os
from pathlib import Path

import typer

from infra.presets import parts_of, preset_files, read_preset, recipe_files
from tasks.errors import ConfigError


def presets(incomplete: str) -> list[str]:
    """Names of presets that begin with what is typed, and .yaml files; recipes after a plus."""
    return [*_laid_over(incomplete), *_presets(incomplete)]


def recipes(incomplete: str) -> list[str]:
    """Names of recipes that begin with what is typed."""
    return [name for name in sorted(recipe_files()) if name.startswith(incomplete)]


def _laid_over(incomplete: str) -> list[str]:
    before, plus, typed = incomplete.rpartition("+")
    taken = parts_of(before)[1]
    return [f"{before}+{name}" for name in recipes(typed) if plus and name not in taken]


def _presets(incomplete: str) -> list[str]:
    typed = Path(incomplete)
    folder = typed if incomplete.endswith("/") else typed.parent
    files = [str(file) for file in sorted(folder.glob("*.yaml"))] if folder.is_dir() else []
    return [name for name in [*preset_files(), *files] if name.startswith(incomplete)]


def runs(context: typer.Context, incomplete: str) -> list[str]:
    """Names of runs in a store on this disk that TSO_STORE or the preset on the line names."""
    folder = _local_store(context.params.get("preset"))
    if folder is None or not (folder / "runs").is_dir():
        return []
    names = sorted(entry.name for entry in (folder / "runs").iterdir() if entry.is_dir())
    return [name for name in names if name.startswith(incomplete)]


def _local_store(preset: object) -> Path | None:
    root: object = os.environ.get("TSO_STORE")
    if not root and isinstance(preset, str):
        try:
            root = read_preset(preset)["storage"]["root"]
        except (ConfigError, KeyError, TypeError, OSError):
            return None
    if not isinstance(root, str) or not root:
        return None
    scheme, found, path = root.partition("://")
    if not found:
        return Path(root).expanduser()
    return Path(path) if scheme == "file" else None
