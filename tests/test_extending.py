"""The method that docs/extending.md adds works as it stands there."""

import re
import shlex

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from flows.cli.arguments import overrides_of
from infra.presets import read_preset
from tasks.config import build_config
from tasks.layers import with_overrides
from tasks.variants import kind_of
from tests.pasting import Paster, assert_house_style, blocks_of, functions_of
from tests.small_config import plain_small
from tests.sources import ROOT
from tests.test_commands_page import examples, parsed
from tests.test_variants import entry

PAGE = "docs/extending.md"
BLOCKS = blocks_of(PAGE)
VARIANTS = [path for path in BLOCKS if path.startswith("tasks/")]
RECIPE = re.compile(r"```yaml\n# (?P<path>\S+)\n(?P<text>.*?)```", re.DOTALL)


@pytest.fixture
def method(tmp_path, monkeypatch):
    """Loss, pair rule and recipe in their places, for as long as a test lasts."""
    paster = Paster(tmp_path, monkeypatch)
    for path in VARIANTS:
        paster.paste(path, BLOCKS[path])
    found = RECIPE.search((ROOT / PAGE).read_text(encoding="utf-8"))
    recipe = tmp_path / "presets" / found["path"]
    recipe.parent.mkdir(parents=True)
    recipe.write_text(found["text"], encoding="utf-8")
    monkeypatch.setenv("TSO_PRESETS", str(tmp_path / "presets"))
    yield recipe.stem
    paster.forget()


def test_there_is_a_loss_and_a_pair_rule_each_with_its_test():
    assert VARIANTS == ["tasks/losses/dpop.py", "tasks/pair_rules/surest.py"]
    assert len(BLOCKS) == 4


@pytest.mark.parametrize("path", VARIANTS)
def test_each_part_passes_its_own_test_and_what_holds_for_all_variants(
    path, method, tmp_path, monkeypatch
):
    folder, _, file = path.removeprefix("tasks/").rpartition("/")
    test = f"tests/{folder}/test_{file}"
    monkeypatch.syspath_prepend(str((ROOT / test).parent))
    tests = functions_of(tmp_path / f"test_{file}", BLOCKS[test])
    assert tests
    for one in tests:
        one()
    assert entry(f"tasks.{folder}", file.removesuffix(".py"))["semantics"] == 1


def test_the_loss_alone_is_a_setting_of_the_quickstart(method):
    checked, run = (parsed(one).params["settings"] for one in examples(PAGE)[:2])
    assert checked == run
    config = build_config(with_overrides(read_preset("quickstart"), overrides_of(checked)))
    assert (kind_of(config.training.loss), config.training.loss.weight) == ("dpop", 5)


def test_the_recipe_is_a_configuration_over_the_quickstart_and_is_listed(method, tmp_path):
    config = build_config(read_preset(f"quickstart+{method}"))
    assert config.training.loss.weight == 5.0
    shown = CliRunner().invoke(app, ["recipes", method], catch_exceptions=False).output
    assert "careful: Careful DPO" in shown and "kind: surest" in shown
    assert build_config(plain_small(pairs__rule={"kind": "surest"})).pairs.rule


def test_every_command_of_the_page_is_one():
    commands = examples(PAGE)
    names = ["check", "run", "recipes", "check", "run", "compare"]
    assert [one[0] for one in commands] == names
    for arguments in commands:
        parsed(arguments)
    assert parsed(shlex.split("compare a b --seeds 0,1")).params["methods"] == ["a", "b"]


def test_the_blocks_are_in_house_style(tmp_path):
    assert_house_style(BLOCKS, tmp_path)
