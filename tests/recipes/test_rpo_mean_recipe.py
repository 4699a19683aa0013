"""RPO's average form as a whole round."""

import math

import pytest

pytestmark = [pytest.mark.slow]


def test_the_regulariser_is_the_likelihood_per_token(recipes):
    world, manifest = recipes.round("rpo_mean")
    scored = world.table(manifest, "score-reference").to_pylist()
    means = [-row["logp"] / len(row["token_logps"]) for row in scored]
    first = world.table(manifest, "train").to_pylist()[0]
    added = (first["loss"] - math.log(2)) / 0.2
    assert min(means) <= added <= max(means), "at the reference the rest is DPO's log 2"
