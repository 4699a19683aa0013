"""DPO in TSO's rounds as a whole round."""

import math

import pytest

pytestmark = [pytest.mark.slow]


def test_a_round_of_dpo_has_the_preset_s_pairs_and_starts_at_log_two(recipes):
    world, manifest = recipes.round("dpo")
    steps = world.table(manifest, "train").to_pylist()
    assert steps[0]["loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert {row["origin"] for row in responses(world, manifest)} == {"policy", "model", "human"}


def responses(world, manifest):
    roles = [role for role in manifest["artifacts"] if role.startswith("sample-train-")]
    return [row for role in roles for row in world.table(manifest, role).to_pylist()]
