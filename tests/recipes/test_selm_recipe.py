"""SELM as a whole round."""

import math

import pytest

from tasks.step_metrics import reported

pytestmark = [pytest.mark.slow]


def test_the_policy_s_greedy_response_is_explored(recipes):
    world, manifest = recipes.round("selm")
    own = world.table(manifest, "sample-train-policy").to_pylist()
    prompts = manifest["artifacts"]["collect-train"]["rows"]
    assert len(own) == len({one["prompt_id"] for one in own}) == prompts
    first, *_, last = map(reported, world.table(manifest, "train").to_pylist())
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-4)
    assert first["explored_log_ratio"] == pytest.approx(0, abs=1e-3)
    assert last["explored_log_ratio"] != 0


def test_without_its_term_selm_is_plain_dpo(recipes):
    neutral = {"kind": "selm", "beta": 0.1, "alpha": 0.0}
    _, ours = recipes.round("selm", run="selm-neutral", training__loss=neutral)
    plain = {"kind": "dpo", "beta": 0.1}
    _, other = recipes.round("selm", run="selm-plain", training__loss=plain)
    assert ours["artifacts"]["pair"] == other["artifacts"]["pair"]
    assert ours["policy"]["sha256"] == other["policy"]["sha256"]
