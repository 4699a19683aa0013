"""The schema of presets: it accepts those we ship and refuses what people mistype."""

import jsonschema
import pytest
import yaml

from infra.presets import SHIPPED
from tasks.config import Config
from tasks.config_schema import preset_schema
from tasks.variants import kinds
from tests.small_config import plain_small

VALIDATOR = jsonschema.Draft202012Validator(preset_schema())
NESTED = {"kind": "simulated", "judge": {"kind": "simulated", "judge": {"kind": "rule"}}}


def accepts(preset):
    return not list(VALIDATOR.iter_errors(preset))


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(preset_schema())


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.name)
def test_presets_that_we_ship_are_accepted(path):
    assert accepts(yaml.safe_load(path.read_text(encoding="utf-8")))


def test_judges_may_hold_judges():
    assert accepts(plain_small(judges__main=NESTED))
    assert not accepts(plain_small(judges__main__judge={"kind": "ruel"}))


SMOOTHED = {"kind": "label_smoothing", "loss": {"kind": "dpo", "beta": 0.2}, "noise": 0.1}


def test_losses_may_hold_losses():
    terms = {"a": {"loss": SMOOTHED}, "b": {"loss": {"kind": "sft"}}}
    both = {"kind": "weighted_sum", "terms": terms}
    assert accepts(plain_small(training__loss=SMOOTHED))
    assert accepts(plain_small(training__loss=both))
    assert not accepts(plain_small(training__loss={**SMOOTHED, "loss": {"kind": "dpo", "bta": 1}}))
    assert not accepts(plain_small(training__loss={**both, "terms": {"a": {"weight": 1.0}}}))


MISTAKES = {
    "an unknown section": {"trainings": {}},
    "an unknown key": {"training__epoch": 2},
    "a wrong type": {"training__epochs": "two"},
    "a value out of range": {"matrix__policy__top_p": 1.5},
    "an unknown kind": {"judges__main__kind": "ruel"},
    "a setting of another kind": {"judges__main__noise": 0.1},
    "a kind left out": {"comparisons": {"budget": 6}},
    "an unknown engine": {"matrix__large__engine": "vlm"},
    "a setting of another engine": {"matrix__large__threads": 2},
    "no engine": {"matrix__large__engine": None},
    "no base model": {"run__base_model": None},
    "a choice that there is not": {"training__decay": "lineer"},
    "a value for a list": {"prompts__files": "prompts.jsonl"},
    "a wrong setting of a nested judge": {"judges__main": {**NESTED, "judge": {"kind": "x"}}},
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_typical_mistake_is_refused(mistake):
    assert accepts(plain_small())
    assert not accepts(plain_small(**MISTAKES[mistake]))


def test_every_section_and_every_setting_is_described():
    schema = preset_schema()
    assert schema["properties"].keys() == Config.model_fields.keys()
    for name, section in schema["$defs"].items():
        for branch in section.get("anyOf", [section]):
            assert branch["description"], name
            for key, setting in branch["properties"].items():
                assert key == "kind" or setting.get("description"), (name, key)


def test_a_cell_takes_its_own_settings_and_those_of_its_engine():
    branches = preset_schema()["$defs"]["CellSection"]["anyOf"]
    engines = {branch["properties"]["engine"]["const"]: branch for branch in branches}
    assert engines.keys() == set(kinds("infra.engines"))
    assert {"samples", "share", "threads"} <= engines["transformers"]["properties"].keys()
    assert "threads" not in engines["scripted"]["properties"]
    assert engines["recorded"]["required"] == ["engine", "files"]
