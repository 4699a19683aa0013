"""One-shot DPO as a whole round."""

import pytest

pytestmark = [pytest.mark.slow]


def test_one_round_takes_the_whole_pool_and_there_is_no_second(recipes):
    world, manifest = recipes.round("one_shot_dpo")
    assert manifest["artifacts"]["collect-train"]["rows"] == 16, "the small world's train prompts"
    state = world.rounds("one-shot-dpo")
    assert state.name == "PoolExhausted"
    assert len(world.tree("one-shot-dpo").manifests()) == 1
