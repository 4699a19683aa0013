import pytest

from tasks.plan import Sizes, disk_bytes, plan_round
from tests.small_config import small_config

SIZES = Sizes(
    prompts=8, evaluation_prompts=4, prompt_bytes=800, evaluation_bytes=300, weight_bytes=1000
)
ASKS = {"kind": "pairwise", "model": "m", "base_url": "http://127.0.0.1:1/v1", "max_tokens": 50}


def lines(**overrides):
    made = plan_round(small_config(**overrides), SIZES)
    return {(one.verb, one.what): one for one in made}


def test_cells_are_planned_with_their_responses_and_tokens():
    plan = lines(matrix__policy__max_tokens=10)
    policy, large = plan["sample", "policy"], plan["sample", "large"]
    assert (policy.amount, policy.tokens, policy.paid_calls) == (16, 160, 0)
    assert (large.amount, large.tokens, large.paid_calls) == (8, 0, 0)


def test_three_responses_make_three_comparisons_in_both_orders():
    judges = {"main": ASKS}
    assert lines(judges=judges)["judge", "main"].amount == 8 * 3 * 2
    assert lines(judges=judges, comparisons__budget=2)["judge", "main"].amount == 8 * 2 * 2
    assert lines(comparisons__budget=2)["pair", "comparisons"].amount == 16


def test_rules_that_ask_in_waves_are_planned_with_the_most_they_ask():
    eight = {"matrix__policy__samples": 6, "matrix__large__samples": 2}
    for kind in ("swiss", "active"):
        plan = lines(comparisons={"kind": kind}, judges={"main": ASKS}, **eight)
        assert plan["judge", "main"].amount == 8 * 12 * 2
        assert plan["pair", "comparisons"].amount == 8 * 12


def test_evaluation_is_planned_by_its_own_rule():
    fewer = {
        "evaluation__judges": {"second": ASKS},
        "evaluation__comparisons": {"kind": "neighbours"},
    }
    assert lines(**fewer)["judge", "second · evaluation"].amount == 4 * 2 * 2


def test_a_judge_that_scores_looks_at_each_response_once():
    likert = {**ASKS, "kind": "likert"}
    plan = lines(judges={"main": likert, "rule": {"kind": "rule"}})
    assert (plan["judge", "main"].amount, plan["judge", "main"].paid_calls) == (24, 24)
    assert (plan["judge", "rule"].amount, plan["judge", "rule"].unit) == (24, "scores")
    one = lines(judges={"main": likert}, comparisons__budget=1)
    assert one["judge", "main"].amount == 8 * 2


def test_each_member_of_a_panel_is_planned():
    panel = {"kind": "panel", "members": {"ask": ASKS, "grade": {**ASKS, "kind": "likert"}}}
    plan = lines(judges={"main": panel})
    assert plan["judge", "main.ask"].paid_calls == 48
    assert plan["judge", "main.grade"].paid_calls == 24


def test_judges_that_ask_are_planned_with_calls_and_tokens():
    once = lines(judges={"main": {**ASKS, "both_orders": False}})["judge", "main"]
    assert (once.amount, once.paid_calls, once.tokens) == (24, 24, 24 * 50)
    assert lines()["judge", "main"].paid_calls == 0


def endpoint(**settings):
    cell = {"engine": "openai", "base_url": "http://127.0.0.1:1/v1", "model": "m", "samples": 5}
    return lines(matrix__large={**cell, "max_tokens": 100, **settings})["sample", "large"]


def test_a_cell_behind_an_endpoint_is_planned_with_its_paid_calls():
    one_by_one, by_two = endpoint(), endpoint(per_request=2)
    assert (one_by_one.amount, one_by_one.paid_calls, one_by_one.tokens) == (40, 40, 4000)
    assert (by_two.amount, by_two.paid_calls, by_two.tokens) == (40, 24, 4000)
    assert one_by_one.cost_usd is None


def test_the_price_counts_each_calls_prompt_and_every_token_it_may_write():
    # Two calls a prompt, each with its share of 800 bytes and 20 tokens of a chat template.
    read, written = 2 * (800 + 8 * 20), 4000
    planned = endpoint(per_request=3, price=[1.0, 2.0])
    assert planned.cost_usd == pytest.approx((read + 2 * written) / 1e6)
    assert endpoint(price=[0, 0]).cost_usd == 0


def test_a_judges_price_counts_prompt_responses_and_template():
    asked = lines(
        judges={"main": {**ASKS, "price": [1.0, 10.0]}}, matrix__policy__max_tokens=10,
        matrix__large__max_tokens=30,
    )["judge", "main"]  # fmt: skip
    read = 6 * 800 + 48 * (2 * 30 + 1000)
    assert asked.cost_usd == pytest.approx((read + 10 * 48 * 50) / 1e6)


def test_evaluation_judges_are_planned_too():
    second = lines(evaluation__judges={"second": ASKS})["judge", "second · evaluation"]
    assert (second.amount, second.paid_calls) == (4 * 3 * 2, 24)


def test_people_see_their_budget():
    people = {"ann": {"kind": "simulated", "judge": {"kind": "rule"}}}
    asked = lines(annotate={"budget": 0.25, "people": people})
    assert asked["annotate", "people"].amount == 6


@pytest.mark.parametrize(
    ("batch", "epochs", "max_steps", "expected"),
    [(64, 1, None, 1), (3, 1, None, 3), (3, 2, None, 6), (3, 2, 4, 4)],
)
def test_steps_are_batches_of_prompts_rounded_up(batch, epochs, max_steps, expected):
    plan = lines(
        training__prompts_per_batch=batch, training__epochs=epochs, training__max_steps=max_steps
    )
    assert plan["train", "steps"].amount == expected


def test_disk_holds_tables_the_policy_and_two_training_checkpoints():
    config = small_config()
    rows = (16 + 8) + 24 + 24 + 12  # sampled, scores, scored, evaluation answers
    expected = rows * 600 + 1000 + 2 * 3 * 1000
    assert disk_bytes(config, SIZES, plan_round(config, SIZES)) == expected


def test_models_of_steps_that_are_kept_take_disk_too():
    plain, kept = small_config(), small_config(training__keep_every=1, training__epochs=3)
    steps = lines(training__epochs=3)["train", "steps"].amount
    more = disk_bytes(kept, SIZES, []) - disk_bytes(plain, SIZES, [])
    assert more == steps * SIZES.weight_bytes and steps >= 3


def test_an_editor_is_planned_with_a_call_for_each_pair_and_its_price():
    server = {"engine": "openai", "model": "m", "base_url": "http://x/v1", "price": [1.0, 2.0]}
    edit = {"kind": "edit_rejected", "writer": {**server, "max_tokens": 50}}
    line = lines(transforms=[edit])["transform", "edit_rejected"]
    assert (line.amount, line.paid_calls, line.tokens) == (8 * 3, 24, 1200)
    read = 800 * 3 + 24 * (2 * 512 + 1000)
    assert line.cost_usd == pytest.approx((read * 1.0 + 1200 * 2.0) / 1e6)


def test_a_segment_is_planned_for_each_chosen_response_and_variants_cost_nothing():
    writer = {"engine": "transformers", "model": "policy", "max_tokens": 20}
    plan = lines(transforms=[{"kind": "regenerate_segment", "writer": writer}, {"kind": "degrade"}])
    line = plan["transform", "regenerate_segment"]
    assert (line.amount, line.tokens, line.paid_calls, line.cost_usd) == (24, 480, 0, None)
    assert ("transform", "degrade") not in plan


@pytest.mark.parametrize(
    ("changes", "pairs"),
    [
        ({}, 2),
        ({"estimator": {"kind": "verdict_strength", "compares": "compared"}}, 2),
        ({"estimator": {"kind": "verdict_strength", "compares": "all"}}, 3),
        ({"correction__uncompared": "prior"}, 3),
    ],
)
def test_every_two_responses_may_become_a_pair_that_is_edited_where_nobody_has_to_judge_them(
    changes, pairs
):
    """Three responses of a prompt, of which judges compare two pairs."""
    edit = {"kind": "edit_rejected", "writer": {"engine": "scripted", "default": "x"}}
    plan = lines(transforms=[edit], comparisons={"kind": "all", "budget": 2}, **changes)
    assert plan["pair", "comparisons"].amount == 8 * pairs
    assert plan["transform", "edit_rejected"].amount == 8 * pairs


def test_an_estimators_verdicts_and_models_take_disk():
    fitted = {"kind": "reward_model", "passes": 4, "compares": "all"}
    plan = lines(estimator=fitted)
    assert plan["estimate", "reward_model"].amount == 24 * 5
    assert plan["estimate", "comparisons"].amount == 8 * 3 * 2, "in both orders"
    taught = fitted | {"self_training": {"keep": 0.5}}
    none, one, two = (
        disk_bytes(small_config(**given), SIZES, [])
        for given in ({}, {"estimator": fitted}, {"estimator": taught})
    )
    assert (one - none, two - one) == (SIZES.weight_bytes, SIZES.weight_bytes)
