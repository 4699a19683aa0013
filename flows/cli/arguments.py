"""Arguments and options that several commands of `tso` take."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.completion import presets, runs
from tasks.errors import ConfigError

Name = Annotated[
    str, typer.Argument(help="Name of the run; it grows with every call.", autocompletion=runs)
]
PRESET = "A preset's name, or a path to a .yaml file; +RECIPE lays a method over it."
Preset = Annotated[str, typer.Option(help=PRESET, autocompletion=presets)]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="key=value replaces one setting, e.g. training.epochs=2."),
]
Out = Annotated[Path | None, typer.Option(help="The file to write.")]


def overrides_of(settings: list[str]) -> dict[str, object]:
    """{dotted key: value} of `key=value` texts; values are read as YAML."""
    from infra.presets import parse_value

    overrides: dict[str, object] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {setting!r}: write key=value, e.g. training.epochs=2")
        overrides[key] = parse_value(value)
    return overrides
