"""UPO as a whole round: pairs of the ends that the estimator agrees with, weighed by its doubt."""

import math

import pytest

from tasks.estimates import passes_of, wins_in_passes
from tasks.records import Verdict
from tasks.step_metrics import reported
from tasks.tables import from_table
from tasks.uncertainty import bald

pytestmark = [pytest.mark.slow]
NEUTRAL = {
    "pairs__selection": None,
    "pairs__rule": {"kind": "all_above_margin"},
    "pairs__filters": [{"kind": "equal_texts"}],
    "estimator__compares": "none",
}


def test_a_round_of_upo_trains_on_pairs_that_most_passes_agree_with(recipes):
    world, manifest = recipes.round("upo", estimator__passes=4)
    said = list(from_table(Verdict, world.table(manifest, "estimate")))
    passes = passes_of(said)
    assert passes and all(len(one) == 4 for one in passes.values())
    rows = world.table(manifest, "pair").to_pylist()
    rows += world.table(manifest, "pair", "held_out").to_pylist()
    assert rows
    for one in rows:
        wins = wins_in_passes(one["chosen_id"], one["rejected_id"], passes)
        assert sum(p > 0.5 for p in wins) > 2
    counts = manifest["counts"]["pair"]
    left = counts["pairs"] + counts["dropped_reliable_sample"]
    assert counts["pairs"] == -(-left // 2), "half of them, rounded up"
    _weights_follow_the_passes(world, manifest, rows, passes)


def _weights_follow_the_passes(world, manifest, rows, passes):
    """alpha = 0.4 B / ln 2 lies between the smallest and the largest pair's: its mean is reported.

    At the start the policy is the reference: the pair's loss is ln 2 whatever alpha is, and the
    rest is 0.1 of the chosen responses' negative log-likelihood per token.
    """
    doubts = [bald(wins_in_passes(one["chosen_id"], one["rejected_id"], passes)) for one in rows]
    first = reported(world.table(manifest, "train").to_pylist()[0])
    bounds = [0.4 * one / math.log(2) for one in (min(doubts), max(doubts))]
    assert 0 < bounds[1] < 0.4
    assert bounds[0] - 1e-6 <= first["alpha"] <= bounds[1] + 1e-6
    scored = world.table(manifest, "score-reference").to_pylist()
    means = [-row["logp"] / len(row["token_logps"]) for row in scored]
    assert min(means) <= (first["loss"] - math.log(2)) / 0.1 <= max(means)


def test_without_its_parts_upo_is_plain_dpo(recipes):
    loss = {"kind": "upo", "beta": 0.1, "alpha_max": 0.0, "sft_weight": 0.0}
    more = NEUTRAL | {"estimator__passes": 4}
    _, ours = recipes.round("upo", run="upo-neutral", training__loss=loss, **more)
    plain_loss = {"kind": "dpo", "beta": 0.1}
    _, plain = recipes.round(
        "upo", run="upo-plain", training__loss=plain_loss, **NEUTRAL, estimator=None
    )
    pairs = [one["artifacts"]["pair"]["content"] for one in (ours, plain)]
    assert pairs[0] == pairs[1], "an estimator that compares nothing changes no pair"
    assert ours["policy"]["sha256"] == plain["policy"]["sha256"]
