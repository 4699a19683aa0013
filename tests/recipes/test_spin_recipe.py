"""SPIN as a whole round."""

import pytest

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
