"""`tso check`: all that a run would look at first, one line each; goes on after a problem."""

from collections.abc import Mapping
from typing import Any

import typer
from rich.console import Console

from flows.cli.checks import Preparation
from flows.cli.exit_codes import BAD_INPUT
from flows.cli.terminal import clean, console
from infra.presets import parts_of, read_preset, read_recipe, replaced_settings
from tasks.config import config_problems
from tasks.errors import TSOError
from tasks.preflight import Check
from tasks.rounds import resolve, settled

GOOD, BAD, UNSEEN = "\N{CHECK MARK}", "\N{BALLOT X}", "\N{EN DASH}"


def show_checks(preset: str, overrides: Mapping[str, Any]) -> None:
    """Print every check; exits with BAD_INPUT if one found something wrong."""
    out = console()
    settings = {key: value for key, value in overrides.items() if key != "redo"}
    _show_recipes(out, parts_of(preset)[1])
    problems = config_problems(settled(read_preset(preset), settings))
    for problem in problems:
        _line(out, BAD, "configuration", problem)
    if problems:
        out.print("the rest can be looked at when the configuration is right")
        raise typer.Exit(BAD_INPUT)
    config, _ = resolve(preset, overrides)
    _line(out, GOOD, "configuration", f"{len(config.matrix)} cells, {len(config.judges)} judges")
    failed = _look(out, Preparation(config).checks())
    if failed:
        out.print(f"{len(failed)} of these would stop a run: {', '.join(failed)}")
        raise typer.Exit(BAD_INPUT)
    out.print(f"{preset} is ready to run")


def _show_recipes(out: Console, recipes: list[str]) -> None:
    """What is laid over the preset, and what of it a later recipe replaces again."""
    replaced = replaced_settings(recipes)
    for name in recipes:
        facts = read_recipe(name)["recipe"]
        said = f"{facts['title']}: {facts['about']}"
        if lost := replaced.get(name):
            said += f"; replaced by a later recipe: {', '.join(lost)}"
        _line(out, GOOD, f"recipe {name}", said)


def _look(out: Console, checks: list[Check]) -> list[str]:
    """Do all checks and print what each found; names of those that found something wrong."""
    failed: list[str] = []
    unseen: set[str] = set()
    for check in checks:
        missing = [name for name in check.needs if name in {*failed, *unseen}]
        if missing:
            unseen.add(check.name)
            _line(out, UNSEEN, check.name, f"not looked at: needs {' and '.join(missing)}")
            continue
        try:
            _line(out, GOOD, check.name, check.look())
        except TSOError as error:
            failed.append(check.name)
            _line(out, BAD, check.name, str(error))
    return failed


def _line(out: Console, mark: str, name: str, said: str) -> None:
    out.print(f"{mark} {name}: {clean(said)}", soft_wrap=True)
