"""MRPO as a whole round."""

import math

import pytest

pytestmark = [pytest.mark.slow]


def test_in_the_first_round_both_references_are_one_and_the_round_is_dpo_s(recipes):
    world, manifest = recipes.round("mrpo")
    own, anchor = (logps(world, manifest, role) for role in ("reference", "further-1"))
    assert anchor and all(own[name] == value for name, value in anchor.items())
    steps = world.table(manifest, "train").to_pylist()
    assert steps[0]["loss"] == pytest.approx(math.log(2), abs=1e-4)
    world, plain = recipes.round("dpo", run="mrpo-plain")
    losses = [one["loss"] for one in world.table(plain, "train").to_pylist()]
    assert [one["loss"] for one in steps] == pytest.approx(losses, abs=1e-4)


def logps(world, manifest, role):
    scored = world.table(manifest, f"score-{role}").to_pylist()
    return {row["response_id"]: row["logp"] for row in scored}
