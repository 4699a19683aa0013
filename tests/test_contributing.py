"""The examples of CONTRIBUTING.md work as they stand there."""

import re
import shlex
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from tasks.variants import variant_class
from tests.pasting import Paster, assert_house_style, blocks_of, functions_of
from tests.sources import ROOT
from tests.test_variants import entry

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = blocks_of("CONTRIBUTING.md")
VARIANTS = [path for path in BLOCKS if path.startswith("tasks/")]


@pytest.fixture
def pasted(tmp_path, monkeypatch):
    """Paste a block into its family as long as the test lasts; returns family and kind."""
    paster = Paster(tmp_path, monkeypatch)
    yield lambda path: paster.paste(path, BLOCKS[path])
    paster.forget()


def test_there_is_an_example_of_a_loss_a_judge_and_a_check():
    assert sorted(path.split("/")[1] for path in VARIANTS) == ["checks", "judges", "losses"]


@pytest.mark.parametrize("path", VARIANTS)
def test_an_example_passes_its_own_test(path, pasted, tmp_path, monkeypatch):
    family, kind = pasted(path)
    test = path.replace("tasks/", "tests/").replace(f"{kind}.py", f"test_{kind}.py")
    monkeypatch.syspath_prepend(str((ROOT / test).parent))
    tests = functions_of(tmp_path / f"test_{kind}.py", BLOCKS[test])
    assert tests
    for one in tests:
        one()
    assert entry(family, kind)["semantics"] == 1
    assert variant_class(family, kind).__doc__


def test_the_small_run_takes_the_example_of_a_loss(pasted, tmp_path, monkeypatch):
    commands = re.search(r"## Try it.*?```sh\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()
    write, run = (shlex.split(one.replace("work/small", f"{tmp_path}/small")) for one in commands)
    assert write[:3] == ["python", "-m", "tests.small_run"] and run[0] == "tso"
    subprocess.run([sys.executable, *write[1:]], cwd=ROOT, check=True, capture_output=True)
    pasted("tasks/losses/hinge.py")
    shown = CliRunner().invoke(app, [*run[1:], "--dry-run"], catch_exceptions=False).output
    assert "small: 0 rounds are done" in shown and "train" in shown


def test_the_examples_are_in_house_style(tmp_path):
    assert_house_style(BLOCKS, tmp_path)
