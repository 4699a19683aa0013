"""The plans that hold recipes beside TSO: what each run of them is."""

from dataclasses import replace

import pytest
import yaml

from benchmarks.recipes.__main__ import PARTS
from benchmarks.recipes.plans import FOLDER, recipes_plan
from docs.recipes import shipped
from tasks.errors import ConfigError
from tasks.rounds import resolve


@pytest.fixture(scope="module")
def plans():
    return {name: recipes_plan(FOLDER / f"{name}.yaml") for name in PARTS}


def test_the_quickstart_s_plan_holds_tso_beside_every_recipe_but_those_it_names(plans):
    assert {"tso", "dpo", "mmpo", "rpo", "iterative_dpo"} <= plans["quickstart"].variants.keys()
    left_out = set(shipped()) - plans["quickstart"].variants.keys()
    assert left_out == {"self_rewarding", "west_of_n_reward"}
    assert list(plans["gsm8k"].variants) == ["tso", "dpo", "mmpo", "rso", "rpo"]


@pytest.mark.parametrize("part", PARTS)
def test_every_run_is_a_configuration_and_seeds_reach_what_is_drawn(part, plans):
    plan = plans[part]
    for variant in plan.variants:
        config, _ = resolve(plan.preset, plan.overrides(variant, 2))
        assert config.run.seed == 2
        assert getattr(config.judges.get("main"), "seed", 2) == 2
    assert len({plan.run(variant, seed) for variant in plan.variants for seed in plan.seeds}) == (
        len(plan.variants) * 3
    )


def test_every_method_sees_as_many_prompts_in_the_quickstart_s_world(plans):
    plan = plans["quickstart"]
    for variant in plan.variants:
        config, _ = resolve(plan.preset, plan.overrides(variant, 0))
        assert config.prompts.per_round * plan.num_rounds(variant) == 3072, variant


def test_a_recipe_lies_over_the_settings_of_all(plans):
    one = replace(plans["gsm8k"], all={"training.loss": {"kind": "ipo"}, "training.epochs": 5})
    found = one.overrides("rpo", 0)
    assert (found["training.loss"]["kind"], found["training.epochs"]) == ("rpo_2405_16436", 5)
    assert one.overrides("tso", 0)["training.loss"]["kind"] == "ipo"


def test_a_plan_with_a_recipe_that_is_not_there_is_refused(tmp_path):
    path = tmp_path / "own.yaml"
    data = yaml.safe_load((FOLDER / "gsm8k.yaml").read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**data, "variants": {"nope": {}}}))
    with pytest.raises(ConfigError, match="there is no recipe 'nope'"):
        recipes_plan(path)
    path.write_text(yaml.safe_dump({**data, "recipes": ["nope"]}))
    with pytest.raises(ConfigError, match="no recipe 'nope'; available"):
        recipes_plan(path)
