"""SimPO as a whole round."""

import math

import pytest

pytestmark = [pytest.mark.slow]


def test_the_loss_compares_means_per_token_of_one_own_pair_of_a_prompt(recipes):
    world, manifest = recipes.round("simpo")
    pairs = world.table(manifest, "pair").to_pylist()
    assert len({one["prompt_id"] for one in pairs}) == len(pairs)
    scored = world.table(manifest, "score-reference").to_pylist()
    means = {one["response_id"]: one["logp"] / len(one["token_logps"]) for one in scored}
    losses = [loss(means[one["chosen_id"]] - means[one["rejected_id"]]) for one in pairs]
    first = world.table(manifest, "train").to_pylist()[0]["loss"]
    assert min(losses) <= first <= max(losses), "at the start the policy is the reference"


def loss(difference):
    return math.log1p(math.exp(1.0 - 2.0 * difference))
