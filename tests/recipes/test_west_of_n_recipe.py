"""West-of-N as a whole round: one pair a prompt, its ends by the reward model, half of them."""

import pytest

pytestmark = [pytest.mark.slow]
QUANTILE = [{"kind": "equal_texts"}, {"kind": "certainty_quantile", "keep": 0.5}]


def test_a_round_of_west_of_n_trains_on_the_surest_ends(recipes):
    filters = [*QUANTILE, {"kind": "likelihood_quantile", "keep": 0.5}]
    world, manifest = recipes.round("west_of_n", pairs__filters=filters)
    rows = world.table(manifest, "pair").to_pylist()
    rows += world.table(manifest, "pair", "held_out").to_pylist()
    said = world.table(manifest, "estimate").to_pylist()
    scores = {one["a_id"]: one["score"] for one in said if one["outcome"] == "scored"}
    of_prompt = {}
    for one in said:
        if one["outcome"] == "scored":
            of_prompt.setdefault(one["prompt_id"], []).append(one["score"])
    assert rows and len({one["prompt_id"] for one in rows}) == len(rows)
    for one in rows:
        ends = {scores[one["chosen_id"]], scores[one["rejected_id"]]}
        assert ends == {max(of_prompt[one["prompt_id"]]), min(of_prompt[one["prompt_id"]])}
    counts = manifest["counts"]["pair"]
    left = counts["pairs"] + counts["dropped_certainty_quantile"]
    assert counts["pairs"] == -(-left // 2)
    trained = manifest["counts"]["train"]
    seen = len(world.table(manifest, "pair"))
    assert trained["examples"] == -(-seen // 2), "and of these the likelier half"
    assert trained.get("dropped_likelihood_quantile", 0) == seen // 2
    facts = manifest["counts"]["estimate-model"]
    assert facts["fitted"] + facts["held_out"] == facts["pairs"]


def test_a_later_round_may_name_the_reward_model_as_a_judge(recipes):
    """`estimator:0` is there after the round that made it."""
    recipes.round("west_of_n", run="west")
    judges = {
        "main": {"kind": "rule"},
        "rm": {"kind": "reward_model", "model": "estimator:0", "threads": 1, "max_tokens": 128},
    }
    world, later = recipes.round("west_of_n", run="west", judges=judges)
    assert later["round_index"] == 1
    said = world.table(later, "judge-rm-train").to_pylist()
    assert any(one["outcome"] == "scored" for one in said)


def test_with_all_pairs_and_no_estimator_it_is_plain_dpo(recipes):
    neutral = {"estimator": None, "pairs__rule": {"kind": "all_above_margin"}}
    everything = [{"kind": "equal_texts"}, {"kind": "certainty_quantile", "keep": 1.0}]
    _, ours = recipes.round("west_of_n", run="west-all", pairs__filters=everything, **neutral)
    plain_filters = [{"kind": "equal_texts"}]
    _, plain = recipes.round("west_of_n", run="west-plain", pairs__filters=plain_filters, **neutral)
    assert ours["artifacts"]["pair"]["content"] == plain["artifacts"]["pair"]["content"]
    assert ours["policy"]["sha256"] == plain["policy"]["sha256"]
