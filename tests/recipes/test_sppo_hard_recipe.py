"""SPPO with hard labels as a whole round."""

import pytest

pytestmark = [pytest.mark.slow]


def test_best_and_worst_of_five_own_responses_start_five_nats_from_their_goals(recipes):
    world, manifest = recipes.round("sppo_hard")
    own = {one["response_id"] for one in world.table(manifest, "sample-train-policy").to_pylist()}
    pairs = world.table(manifest, "pair").to_pylist()
    assert len({one["prompt_id"] for one in pairs}) == len(pairs)
    assert {one["chosen_id"] for one in pairs} | {one["rejected_id"] for one in pairs} <= own
    first = world.table(manifest, "train").to_pylist()[0]
    assert first["loss"] == pytest.approx(2 * 5**2, abs=1e-2)
