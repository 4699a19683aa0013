"""The pages about the command line are true: every example parses, every exit code is listed."""

import ast
import re
import shlex
from itertools import pairwise

import pytest
import typer
from typer.testing import CliRunner

from flows.cli.app import app
from tests.sources import ROOT, tree

GROUP = typer.main.get_command(app)
PAGES = ("docs/commands.md", "README.md")


def examples(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("tso ")]


def parsed(arguments, group=GROUP, within=None):
    """The context of the command that `arguments` name; click refuses what it does not know."""
    context = group.make_context("tso", list(arguments), parent=within)
    name, command, rest = group.resolve_command(context, list(arguments))
    if hasattr(command, "commands"):
        return parsed(rest, command, context)
    return command.make_context(name, rest, parent=context)


@pytest.mark.parametrize(
    "arguments", [one for page in PAGES for one in examples(page)], ids=" ".join
)
def test_every_example_is_a_command_that_there_is(arguments):
    context = parsed(arguments)
    for setting in context.params.get("settings") or []:
        assert "=" in setting


def test_an_example_with_an_unknown_option_would_be_found():
    with pytest.raises(Exception, match="--untill"):
        parsed(["run", "demo", "--preset", "x", "--untill", "3"])
    with pytest.raises(Exception, match="--ports"):
        parsed(["stack", "up", "--ports", "5000"])


def test_every_command_has_an_example_and_a_heading():
    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    shown = {arguments[0] for arguments in examples("docs/commands.md")}
    assert (
        shown == set(GROUP.commands) == set(re.findall(r"^## `tso ([\w-]+)`", page, re.MULTILINE))
    )


def listed_codes():
    """(code, name, meaning) as flows/cli/exit_codes.py declares them."""
    body = tree("flows/cli/exit_codes.py").body
    for line, said in pairwise(body):
        declared = isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant)
        if declared and isinstance(said, ast.Expr):
            yield str(line.value.value), line.targets[0].id, said.value.value


def test_the_page_of_exit_codes_lists_those_that_there_are():
    page = (ROOT / "docs/exit-codes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (\w+) \| (.*) \|$", page, re.MULTILINE)
    assert rows == list(listed_codes()) and len(rows) == 9


def test_the_help_of_the_whole_names_each_command_in_full():
    text = CliRunner().invoke(app, ["--help"]).output
    for name, command in GROUP.commands.items():
        assert f"{name} " in text and (command.help or "").splitlines()[0] in text
