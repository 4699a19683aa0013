"""RPO as a whole round."""

import math

import pytest

pytestmark = [pytest.mark.slow]


def test_a_round_of_rpo_adds_the_likelihood_of_chosen_to_dpo(recipes):
    world, manifest = recipes.round("rpo")
    scored = world.table(manifest, "score-reference").to_pylist()
    sums = [-row["logp"] for row in scored]
    first = world.table(manifest, "train").to_pylist()[0]
    added = (first["loss"] - math.log(2)) / (0.005 * 0.1)
    assert min(sums) <= added <= max(sums), "eta beta times a sum; the pair's part is log 2"


def test_without_its_term_rpo_is_plain_dpo(recipes):
    neutral = {"kind": "rpo_2405_16436", "eta": 0.0, "beta": 0.1}
    _, ours = recipes.round("rpo", run="rpo-neutral", training__loss=neutral)
    _, plain = recipes.round("rpo", run="rpo-plain", training__loss={"kind": "dpo", "beta": 0.1})
    assert ours["artifacts"]["pair"] == plain["artifacts"]["pair"]
    assert ours["policy"]["sha256"] == plain["policy"]["sha256"]
