"""MMPO as a whole round."""

import math

import pytest

pytestmark = [pytest.mark.slow]


def test_a_pair_s_target_is_softer_the_closer_its_responses_are(recipes):
    world, manifest = recipes.round("mmpo")
    pairs = world.table(manifest, "pair").to_pylist()
    margins = {round(one["margin"], 6) for one in pairs}
    assert len(margins) > 1 and max(margins) <= 1 and min(margins) >= 0
    assert all(one["p_chosen"] == pytest.approx((1 + one["margin"]) / 2) for one in pairs)
    first = world.table(manifest, "train").to_pylist()[0]
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-5), "whatever the targets are"


def test_with_certain_targets_mmpo_is_plain_dpo(recipes):
    certain = {"kind": "mmpo", "beta": 0.1}
    neutral = {"correction__degrees": None, "training__loss": certain}
    _, ours = recipes.round("mmpo", run="mmpo-neutral", **neutral)
    _, plain = recipes.round("dpo", run="mmpo-plain")
    assert ours["artifacts"]["pair"] == plain["artifacts"]["pair"]
    assert ours["policy"]["sha256"] == plain["policy"]["sha256"]
