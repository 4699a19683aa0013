"""West-of-N for the reward model: round by round a second model learns what the first labels."""

import pytest

pytestmark = [pytest.mark.slow]


def test_the_student_learns_from_its_teachers_pairs_and_teaches_the_next_round(recipes):
    _, first = recipes.round("west_of_n_reward", run="reward")
    _, second = recipes.round("west_of_n_reward", run="reward")
    for manifest in (first, second):
        teacher, student = (manifest["counts"][f"estimate-{one}"] for one in ("teacher", "model"))
        own = teacher["fitted"]
        assert student["pairs"] > teacher["pairs"], "those it was taught are among them"
        assert student["fitted"] <= 2 * own
        assert manifest["estimator"]["uri"] == manifest["artifacts"]["estimate-model"]["uri"]
    assert second["estimator"]["base"] == first["estimator"]["sha256"]
    assert first["estimator"]["base"] == first["reference_in"]["sha256"]


def test_without_an_estimator_nothing_of_it_is_left(recipes):
    neutral = {"estimator": None, "pairs__rule": {"kind": "all_above_margin"}}
    _, plain = recipes.round("west_of_n_reward", run="reward-plain", **neutral)
    _, other = recipes.round("west_of_n", run="policy-plain", **neutral,
                             pairs__filters=[{"kind": "equal_texts"}])  # fmt: skip
    assert plain["artifacts"]["pair"] == other["artifacts"]["pair"]
    assert not [role for role in plain["artifacts"] if role.startswith("estimate")]
