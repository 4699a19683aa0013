"""BMC as a whole round: the editor's texts are trained on, the held-out pairs are as they were."""

import pytest

pytestmark = [pytest.mark.slow]

EDITOR = {"engine": "scripted", "default": "a fig, a pear and a plum"}
EDITED = "transform-0-edit_rejected"


def test_a_round_of_bmc_trains_on_edited_over_rejected(recipes):
    transforms = [{"kind": "edit_rejected", "writer": EDITOR, "max_growth": 99}]
    world, manifest = recipes.round("bmc", transforms=transforms)
    before = {row["pair_id"]: row for row in world.table(manifest, "pair").to_pylist()}
    after = world.table(manifest, EDITED).to_pylist()
    made_of = {
        row["response_id"]: (row["made_from"], row["pair_id"])
        for row in world.table(manifest, EDITED, "origins").to_pylist()
    }
    assert after and len(after) <= len(before)
    for pair in after:
        rejected, pair_id = made_of[pair["chosen_id"]]
        assert before[pair_id]["rejected_id"] == rejected == pair["rejected_id"]
    texts = world.table(manifest, f"{EDITED}-responses").column("text").to_pylist()
    assert {one.strip() for one in texts} == {"a fig, a pear and a plum"}
    held_out = [world.table(manifest, role, "held_out") for role in ("pair", EDITED)]
    assert held_out[0].equals(held_out[1]) and held_out[0].num_rows
    assert manifest["counts"]["train"]["examples"] == len(after)
    assert set(manifest["strengths"]) == {"policy", "other", "human"}


def test_without_marks_and_edits_bmc_is_plain_dpo(recipes):
    neutral = {"kind": "bmc", "extra_weight_cap": 0.0, "beta": 0.1}
    _, ours = recipes.round("bmc", run="bmc-neutral", training__loss=neutral, transforms=[])
    plain = {"kind": "dpo", "beta": 0.1}
    _, dpo = recipes.round("bmc", run="bmc-plain", training__loss=plain, transforms=[])
    assert ours["artifacts"]["pair"] == dpo["artifacts"]["pair"]
    assert ours["artifacts"]["score-reference"] == dpo["artifacts"]["score-reference"]
    assert ours["policy"]["sha256"] == dpo["policy"]["sha256"]
