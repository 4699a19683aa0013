"""SAPO as a whole round: the policy rewrites a segment, and everything before it is equal."""

import pytest

from infra.artifacts import open_artifact
from tasks.derivations import Derivation
from tasks.records import Artifact
from tasks.tables import from_table

pytestmark = [pytest.mark.slow]

MADE = "transform-0-regenerate_segment"
WRITER = {
    "engine": "transformers",
    "model": "ema",
    "max_tokens": 4,
    "threads": 1,
    "device": "cpu",
}
SEGMENT = {"kind": "sapo_dpo", "tokens": "segment"}
TRANSFORMS = [{"kind": "regenerate_segment", "writer": WRITER}]


@pytest.fixture(scope="module")
def rewritten(recipes):
    return recipes.round("sapo", transforms=TRANSFORMS, training__loss=SEGMENT)


def test_a_round_of_sapo_trains_on_chosen_over_chosen_with_another_segment(rewritten):
    world, manifest = rewritten
    made = {
        row["response_id"]: row for row in world.table(manifest, f"{MADE}-responses").to_pylist()
    }
    sampled = {
        row["response_id"]: row["token_ids"]
        for role in ("sample-train-policy", "sample-train-other")
        for row in world.table(manifest, role).to_pylist()
    }
    origins = {
        one.response_id: one
        for one in from_table(Derivation, world.table(manifest, MADE, "origins"))
    }
    pairs = world.table(manifest, MADE).to_pylist()
    assert pairs and len({row["chosen_id"] for row in pairs}) == len(pairs)
    compared = 0
    for row in pairs:
        one = origins[row["rejected_id"]]
        new = made[row["rejected_id"]]["token_ids"]
        assert one.made_from == row["chosen_id"] and 1 <= one.written <= 4
        if whole := sampled.get(row["chosen_id"]):
            compared += 1
            assert new[: one.start] == whole[: one.start] and new != whole
            ended = len(new) == one.start + one.written
            tail = whole[one.start + one.replaced :]
            assert ended or new[one.start + one.written :] == tail
    assert compared
    assert manifest["counts"]["train"]["examples"] == len(pairs)
    assert world.table(manifest, MADE, "held_out").equals(world.table(manifest, "pair", "held_out"))


def test_the_next_round_trains_on_pairs_of_the_buffer_too_with_their_segments(recipes, rewritten):
    _, first = rewritten
    world, manifest = recipes.round("sapo", transforms=TRANSFORMS, training__loss=SEGMENT)
    counts = manifest["counts"]
    own, replayed = counts[MADE]["pairs"], counts["replay"]["replayed"]
    assert manifest["round_index"] == 1 and replayed == min(own, first["counts"][MADE]["pairs"])
    assert counts["train"]["examples"] == own + replayed
    wrote = [open_artifact(world.store, Artifact(**one["artifacts"][MADE])).facts["writer"]
             for one in (first, manifest)]  # fmt: skip
    assert wrote[0] == first["reference_in"]["sha256"]
    assert wrote[1] not in (wrote[0], manifest["reference_in"]["sha256"]), "an average of the two"


def test_without_transforms_the_loss_of_sapo_is_plain_dpo(recipes):
    ours = {"kind": "sapo_dpo", "beta": 0.1}
    _, sapo = recipes.round("sapo", run="sapo-neutral", training__loss=ours, transforms=[])
    plain = {"kind": "dpo", "beta": 0.1}
    _, dpo = recipes.round("sapo", run="sapo-plain", training__loss=plain, transforms=[])
    assert sapo["artifacts"]["pair"] == dpo["artifacts"]["pair"]
    assert sapo["artifacts"]["score-reference"] == dpo["artifacts"]["score-reference"]
    assert sapo["policy"]["sha256"] == dpo["policy"]["sha256"]
