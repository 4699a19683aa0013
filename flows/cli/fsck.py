"""`tso fsck`: is everything that a run names still there, byte for byte?"""

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from flows.cli.exit_codes import DAMAGED
from flows.cli.terminal import bytes_shown, console
from infra.fsck import Problem, verify_run
from infra.reach import Mention
from infra.storage import open_store
from tasks.rounds import resolve


def show_problems(name: str, preset: str, overrides: Mapping[str, Any], *, quick: bool) -> None:
    """Print what is missing or damaged and what mends it; exits with DAMAGED if anything is."""
    config, _ = resolve(preset, overrides)
    found = verify_run(open_store(config.storage), name, quick=quick)
    out = console()
    for problem in found.problems:
        out.print(_line(problem), soft_wrap=True)
    looked = "existence and size" if quick else "size and sha256"
    out.print(
        f"{name}: {found.stages:,} stages with {found.files:,} files of "
        f"{bytes_shown(found.size)}, {looked}: {_said(found.problems)}"
    )
    if found.problems:
        raise typer.Exit(DAMAGED)


def _line(problem: Problem) -> str:
    where = f" ({_where(problem.mentions)})" if problem.mentions else ""
    return f"{problem.uri}: {problem.what}{where}\n    {problem.next_step}"


def _where(mentions: Sequence[Mention]) -> str:
    named = [
        one.role if one.round_index is None else f"round {one.round_index} {one.role}"
        for one in mentions
    ]
    return ", ".join(dict.fromkeys(named))


def _said(problems: Sequence[Problem]) -> str:
    if not problems:
        return "all as it was written"
    return "1 problem" if len(problems) == 1 else f"{len(problems):,} problems"
