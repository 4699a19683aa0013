"""Iterative DPO as a whole round."""

import pytest

pytestmark = [pytest.mark.slow]


def test_the_policy_learns_from_its_own_responses_alone_and_is_the_next_reference(recipes):
    world, manifest = recipes.round("iterative_dpo")
    sampled = [role for role in manifest["artifacts"] if role.startswith("sample-train-")]
    assert sampled == ["sample-train-policy"]
    own = world.table(manifest, "sample-train-policy").to_pylist()
    assert len(own) == 8 * manifest["artifacts"]["collect-train"]["rows"]
    used = world.table(manifest, "pair").to_pylist()
    ids = {one[side] for one in used for side in ("chosen_id", "rejected_id")}
    assert used and ids <= {one["response_id"] for one in own}
    assert manifest["reference_out"]["sha256"] == manifest["policy"]["sha256"]
