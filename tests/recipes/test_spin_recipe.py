"""SPIN as a whole round."""

import pytest

from infra.presets import read_recipe
from tasks.config import build_config
from tasks.layers import with_overrides
from tests.small_config import plain_small

pytestmark = [pytest.mark.slow]


def test_people_s_responses_are_chosen_the_policy_s_rejected_and_nobody_judges(recipes):
    world, manifest = recipes.round("spin")
    roles = set(manifest["artifacts"])
    assert not [one for one in roles if one.startswith("judge-")]
    people, policy = (
        {one["response_id"] for one in world.table(manifest, f"sample-train-{cell}").to_pylist()}
        for cell in ("human", "policy")
    )
    pairs = world.table(manifest, "pair").to_pylist()
    assert pairs and {one["chosen_id"] for one in pairs} <= people
    assert {one["rejected_id"] for one in pairs} <= policy
    preferences = world.table(manifest, "pair", "preferences").to_pylist()
    assert {one["decided_by"] for one in preferences} == {"prior"}


def test_demonstrations_are_peoples_whatever_the_preset_calls_them():
    """As some model's they would stand below a stronger policy, and every pair the wrong way."""
    human = {"engine": "scripted", "default": "x", "strength": 1}
    strong = {"engine": "transformers", "model": "policy", "strength": 2}
    preset = plain_small(matrix={"policy": strong, "human": human})
    config = build_config(with_overrides(preset, read_recipe("spin")["set"]))
    assert {name: cell.origin for name, cell in config.matrix.items()}["human"] == "human"
