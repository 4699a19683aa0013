"""DICE as a whole round."""

import pytest

pytestmark = [pytest.mark.slow]


def test_the_prior_decides_the_first_round_and_the_policy_s_implicit_reward_the_second(recipes):
    world, first = recipes.round("dice")
    assert set(reasons(world, first)) <= {"soft_tie", "tie", "uncompared", "equal_texts"}
    assert "soft_tie" in reasons(world, first)
    world, second = recipes.round("dice")
    decided = reasons(world, second)
    assert {"kept", "swapped", "no_prior"} & set(decided) and "soft_tie" not in decided
    said = world.table(second, "judge-self-train").to_pylist()
    assert {one["scale"] for one in said if one["outcome"] == "scored"} == {"implicit_reward"}
    assert len({one["score"] for one in said}) > 2


def reasons(world, manifest):
    return [one["reason"] for one in world.table(manifest, "pair", "preferences").to_pylist()]
