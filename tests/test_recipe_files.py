"""Recipes as files: how they are chosen, what they must say, and that all of ours are sound."""

import json
import re

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from docs import recipes as page
from flows.cli.app import app
from flows.cli.completion import presets
from flows.cli.completion import recipes as completed_recipes
from infra.presets import parts_of, read_preset, read_recipe, replaced_settings
from tasks.config import build_config
from tasks.config_schema import recipe_schema
from tasks.errors import ConfigError
from tasks.layers import with_overrides
from tasks.rounds import recorded_data, resolve
from tests.small_config import plain_small
from tests.sources import ROOT

OWN = {"recipe": {"title": "Mine", "paper": "", "about": "A small step"}, "set": {}}


def tso(*arguments):
    done = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    return done.exit_code, done.output


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Write recipes into a folder of presets of one's own; its preset `mine` is the small one."""
    (tmp_path / "recipes").mkdir()
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(plain_small()))
    monkeypatch.setenv("TSO_PRESETS", str(tmp_path))

    def write(name, **changes):
        (tmp_path / "recipes" / f"{name}.yaml").write_text(
            yaml.safe_dump({**OWN, **changes}, sort_keys=False), encoding="utf-8"
        )

    return write


@pytest.mark.parametrize("name", page.shipped())
def test_every_recipe_is_a_configuration_over_the_quickstart_and_over_a_small_preset(name):
    config, _ = resolve(f"quickstart+{name}", {})
    small = with_overrides(plain_small(), read_recipe(name)["set"])
    assert config != resolve("quickstart", {})[0]
    assert build_config(small) != build_config(plain_small())


@pytest.mark.parametrize(
    "recipes", ["one_shot_dpo+rpo", "iterative_dpo+mmpo", "spin+rpo", "mrpo+iterative_dpo"]
)
def test_recipes_that_set_different_things_go_together(recipes):
    if recipes.startswith("mrpo"):
        with pytest.raises(ConfigError, match=r"training\.references"):
            resolve(f"quickstart+{recipes}", {})
    else:
        config, _ = resolve(f"quickstart+{recipes}", {})
        alone, _ = resolve(f"quickstart+{recipes.partition('+')[0]}", {})
        assert (config.matrix, config.prompts) == (alone.matrix, alone.prompts)
        assert config.training.loss != alone.training.loss


@pytest.mark.parametrize("name", page.shipped())
def test_every_recipe_says_what_it_is_and_has_a_page_and_a_test(name):
    recipe = read_recipe(name)
    facts = recipe["recipe"]
    assert facts["title"] and 20 < len(facts["about"]) < 160
    assert re.fullmatch(r"(\d{4}\.\d{5})?", facts["paper"])
    jsonschema.validate(recipe, recipe_schema())
    text = (page.FOLDER / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith("# ") and f"+{name}" in text and facts["paper"] in text
    assert (ROOT / f"tests/recipes/test_{name}_recipe.py").is_file()


def test_there_is_no_page_without_a_recipe():
    assert sorted(path.stem for path in page.FOLDER.glob("*.md")) == page.shipped()


def test_the_table_of_recipes_is_as_the_files_say():
    assert page.PAGE.read_text(encoding="utf-8") == page.page(), "python -m docs.recipes"
    assert page.table().count("\n") == 2 + len(page.shipped())


@pytest.mark.parametrize(
    ("said", "preset", "recipes"),
    [
        ("quickstart", "quickstart", []),
        ("quickstart+rpo", "quickstart", ["rpo"]),
        ("mine.yaml+a+b", "mine.yaml", ["a", "b"]),
        ("some/a+b/mine.yml", "some/a+b/mine.yml", []),
        ("some/a.yaml+b/mine.yaml+c", "some/a.yaml+b/mine.yaml", ["c"]),
        ("quickstart+", "quickstart", [""]),
        ("mine.yaml+", "mine.yaml", [""]),
    ],
)
def test_recipes_follow_the_preset_after_a_plus(said, preset, recipes):
    assert parts_of(said) == (preset, recipes)


def test_later_recipes_lie_over_earlier_ones(own):
    own("first", set={"training.epochs": 2, "training.learning_rate": 0.1, "judges.main": None})
    own("second", set={"training.epochs": 3})
    found = read_preset("mine+first+second")
    assert (found["training"]["epochs"], found["training"]["learning_rate"]) == (3, 0.1)
    assert found["judges"] == {}
    assert read_preset("mine+second+first")["training"]["epochs"] == 2


def test_what_a_later_recipe_sets_again_is_known(own):
    own("a", set={"training.loss": {"kind": "dpo"}, "training.epochs": 2})
    own("b", set={"training.loss.beta": 0.2})
    own("c", set={"training": {}})
    assert replaced_settings(["a", "b"]) == {}, "a part of it is added to it"
    assert replaced_settings(["b", "a"]) == {"b": ["training.loss.beta"]}
    assert replaced_settings(["a", "c"]) == {"a": ["training.loss", "training.epochs"]}


def test_an_unknown_recipe_is_told_with_the_titles_of_those_there_are(own):
    own("mine", recipe={**OWN["recipe"], "title": "My method"})
    with pytest.raises(
        ConfigError, match=r"no recipe 'rpoo'; available: .*mine \(My method\)"
    ) as e:
        read_preset("quickstart+rpoo")
    assert "rpo (RPO" in str(e.value) and "TSO_PRESETS" in str(e.value)
    with pytest.raises(ConfigError, match="no recipe ''"):
        read_preset("quickstart+")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipe": {"title": "x"}}, "write title, paper, about"),
        ({"recipe": {**OWN["recipe"], "paper": 2405.16436}}, "arXiv number in quotes"),
        ({"recipe": "x"}, "write title, paper, about"),
        ({"set": [1]}, "is no recipe"),
        ({"sets": {}}, "is no recipe: it has recipe, set, sets"),
    ],
)
def test_a_file_that_is_no_recipe_says_what_is_wrong(own, changes, said):
    own("wrong", **changes)
    with pytest.raises(ConfigError, match=said) as caught:
        read_recipe("wrong")
    assert "wrong.yaml" in str(caught.value)


def test_the_command_lists_all_recipes_with_what_they_are(own):
    own("mine")
    code, shown = tso("recipes", "--as", "json")
    rows = {row["recipe"]: row for row in json.loads(shown)}
    assert code == 0 and rows.keys() == {*page.shipped(), "mine"}
    assert rows["mine"] == {"recipe": "mine", **OWN["recipe"]}
    code, shown = tso("recipes")
    assert code == 0 and "Mine" in shown and "RPO" in shown
    with pytest.raises(ConfigError, match="--as 'xml': use one of table"):
        tso("recipes", "--as", "xml")


def test_the_command_shows_one_recipe_with_its_settings(own):
    own("mine", set={"training.loss": {"kind": "dpo", "beta": 0.5}})
    code, shown = tso("recipes", "mine")
    assert code == 0 and "mine: Mine\nA small step" in shown
    assert "training.loss:\n  kind: dpo\n  beta: 0.5" in shown
    assert "tso run NAME --preset quickstart+mine" in shown


def test_a_check_says_what_recipes_add_and_replace(own):
    own("a", set={"training.epochs": 2})
    own("b", set={"training.epochs": 3, "run.base_model": "nowhere"})
    _, shown = tso("check", "mine+a+b")
    said = " ".join(shown.split())
    assert "✓ recipe a: Mine: A small step; replaced by a later recipe: training.epochs" in said
    assert "✓ recipe b: Mine: A small step ✓ configuration" in said


def test_a_check_of_a_recipe_that_does_not_fit_names_the_setting(own):
    own("a", set={"training.epoch": 2})
    code, shown = tso("check", "mine+a")
    assert code == 2 and "✗ configuration: training.epoch: Extra inputs" in " ".join(shown.split())


def test_the_shell_completes_recipes_after_a_plus(own):
    own("mine")
    assert presets("quickstart+mi") == ["quickstart+mine"]
    assert presets("quickstart+mine+rpo_") == ["quickstart+mine+rpo_mean"]
    assert presets("quickstart+mine+mi") == [], "once is enough"
    assert presets("mine.yaml+rpo_") == ["mine.yaml+rpo_mean"]
    assert "quickstart" in presets("qui") and completed_recipes("mi") == ["mine"]


def test_recorded_data_under_a_recipe_are_noted_apart(tmp_path, own):
    own("mine", set={"training.epochs": 2})
    preset = tmp_path / "data.yaml"
    data = recorded_cells()
    preset.write_text(yaml.safe_dump({**data, "storage": {"root": f"file://{tmp_path}/store"}}))
    names = [recorded_data(f"{preset}{more}", {})[1].run for more in ("", "+mine")]
    assert names == ["data.recorded", "data-mine.recorded"]


def recorded_cells():
    return {
        "prompts": {"files": ["prompts.jsonl"]},
        "matrix": {"one": {"engine": "recorded", "files": ["r.jsonl"], "origin": "recorded"}},
        "judges": {"main": {"kind": "recorded", "files": ["v.jsonl"]}},
    }


def test_the_schema_of_recipes_refuses_what_a_reader_would(own):
    validator = jsonschema.Draft202012Validator(recipe_schema())
    assert validator.is_valid({**OWN, "set": {"training.loss": {"kind": "dpo"}, "judges.a": None}})
    assert not validator.is_valid({**OWN, "set": {"trainin.loss": 1}})
    assert not validator.is_valid({"recipe": {"title": "x"}, "set": {}})
    code, shown = tso("schema", "--of", "recipe")
    assert code == 0 and json.loads(shown) == recipe_schema()
    with pytest.raises(ConfigError, match="--of 'run': use one of preset, recipe"):
        tso("schema", "--of", "run")
