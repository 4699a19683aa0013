"""Which prompts a cell answers, and how its share follows what became of its responses."""

from types import SimpleNamespace

import pytest

from tasks.errors import ConfigError
from tasks.quotas import QuotaSettings, next_shares, num_answered, quota, used_responses, usefulness
from tests.small_config import small_config

PROMPTS = [f"p{number:02}" for number in range(20)]
ADAPT = QuotaSettings(adapt=True, floor=0.2)


def ids(share, cell="large", seed=1):
    return quota(PROMPTS, cell, share, seed)


@pytest.mark.parametrize(
    ("prompts", "share", "answered"),
    [(20, 1.0, 20), (20, 0.5, 10), (3, 0.5, 2), (100, 0.55, 55), (20, 0.01, 1), (20, 0.0, 0)],
)
def test_a_share_of_the_prompts_is_rounded_up(prompts, share, answered):
    assert num_answered(prompts, share) == answered
    assert len(quota(PROMPTS, "large", share, 1)) == num_answered(20, share)


def test_a_higher_share_keeps_the_prompts_of_a_lower_one():
    kept = [ids(share) for share in (0.1, 0.25, 0.6, 1.0)]
    assert kept[0] < kept[1] < kept[2] < kept[3] == set(PROMPTS)


def test_cells_and_seeds_draw_prompts_of_their_own():
    assert ids(0.5) == ids(0.5) != ids(0.5, cell="human") != ids(0.5, cell="human", seed=2)


def response(cell, number):
    return SimpleNamespace(cell=cell, response_id=f"{cell}{number}")


def pair(chosen, rejected):
    return SimpleNamespace(chosen_id=chosen, rejected_id=rejected)


def test_usefulness_is_the_share_of_responses_in_pairs_relative_to_the_best_cell():
    rows = [response(cell, number) for cell in ("policy", "large", "idle") for number in range(4)]
    pairs = [pair("large0", "policy0"), pair("large0", "policy1"), pair("large1", "policy2")]
    # policy: 3 of 4 responses are in a pair; large: 2 of 4, one of them twice; idle: none
    assert usefulness(used_responses(rows, pairs)) == {
        "policy": 1.0,
        "large": round(2 / 3, 6),
        "idle": 0.0,
    }


def test_where_no_response_is_in_a_pair_every_cell_is_as_useful_as_the_best():
    assert usefulness(used_responses([response("large", 0)], [])) == {"large": 1.0}


def test_shares_follow_usefulness_but_not_below_the_floor_and_never_the_policys():
    declared = {"policy": 1.0, "large": 0.5, "idle": 0.8, "tiny": 0.1, "new": 0.9}
    useful = {"policy": 0.3, "large": 0.6, "idle": 0.0, "tiny": 0.0}
    shares = next_shares(declared, useful, "policy", ADAPT)
    assert shares == {"policy": 1.0, "large": 0.3, "idle": 0.2, "tiny": 0.1, "new": 0.9}


def test_shares_stay_as_declared_unless_they_are_to_adapt():
    assert next_shares({"large": 0.5}, {"large": 0.1}, "policy", QuotaSettings()) == {"large": 0.5}


@pytest.mark.parametrize("share", [-0.1, 1.1, "half"])
def test_a_share_lies_between_0_and_1(share):
    with pytest.raises(ConfigError, match="share"):
        small_config(matrix__large__share=share)
