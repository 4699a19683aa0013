"""SPPO as a whole round: single responses, no pair anywhere."""

import pytest

pytestmark = [pytest.mark.slow]


def test_a_round_of_sppo_trains_each_response_towards_its_share_of_wins(recipes):
    world, manifest = recipes.round("sppo")
    assert world.table(manifest, "pair").num_rows == 0
    own = {one["response_id"] for one in world.table(manifest, "sample-train-policy").to_pylist()}
    believed = world.table(manifest, "pair", "preferences").to_pylist()
    held_out = world.table(manifest, "pair", "held_out_labels").to_pylist()
    labels = world.table(manifest, "pair", "labels").to_pylist()
    assert labels and held_out
    for label in [*labels, *held_out]:
        assert label["response_id"] in own
        assert label["desirable"] == pytest.approx(_share(label["response_id"], own, believed))
    first = world.table(manifest, "train").to_pylist()[0]
    assert 0 <= first["loss"] <= 25, "at the reference each is (P - 1/2)^2 / beta^2"
    counts = manifest["counts"]
    assert counts["train"]["examples"] == len(labels) == counts["pair"]["labels"] - len(held_out)


def _share(response_id, own, believed):
    """How probably it wins against the policy's other samples; 1/2 where nobody could say."""
    wins = []
    for one in believed:
        sides = {one["a_id"]: 1 - one["p_b_wins"], one["b_id"]: one["p_b_wins"]}
        if response_id in sides and sides.keys() <= own and one["reason"] != "uncompared":
            wins.append(sides[response_id] if one["outcome"] != "dropped" else 0.5)
    return sum(wins) / len(wins)
