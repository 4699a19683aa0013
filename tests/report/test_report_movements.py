"""Best and worst movements: which prompts they are."""

from tasks.measuring import Measured
from tasks.report.movements import NOTHING, movements, moving_metric
from tests.opinion_makers import prompt


def rows(metric, higher_is_better=True, **by_prompt):
    """`p1=(reference, policy)` as the values of both on each prompt."""
    return [
        Measured(
            metric=metric, slice="all", who=who, prompt_id=prompt_id, value=value,
            higher_is_better=higher_is_better,
        )
        for prompt_id, values in by_prompt.items()
        for who, value in zip(("reference", "policy"), values, strict=True)
    ]  # fmt: skip


def answered(*ids):
    return {one: (prompt(prompt_id=one, text=one), f"old {one}", f"new {one}") for one in ids}


def test_the_best_stand_before_the_less_good_and_the_worst_first_among_the_worse():
    measured = rows("win", a=(0.5, 1.0), b=(0.5, 0.6), c=(0.5, 0.0), d=(0.5, 0.4), e=(0.5, 0.5))
    made = movements(measured, "win", answered(*"abcde"))
    assert [one.policy for one in made.best] == ["new a", "new b"]
    assert [one.policy for one in made.worst] == ["new c", "new d"]
    assert (made.better, made.same, made.worse) == (2, 1, 2)
    assert made.best[0].difference == 0.5 and made.best[0].values == {"win": (0.5, 1.0)}


def test_ties_go_by_the_other_metrics_where_less_may_be_better():
    measured = rows("win", a=(0.5, 1.0), b=(0.5, 1.0))
    measured += rows("refusals", higher_is_better=False, a=(0.0, 0.0), b=(1.0, 0.0))
    made = movements(measured, "win", answered("a", "b"), number=1)
    assert made.best[0].policy == "new b"
    assert made.best[0].values["refusals"] == (-1.0, -0.0)


def test_prompts_whose_answers_are_the_same_are_counted_and_not_shown():
    made = movements(rows("win", a=(0.5, 1.0), b=(0.5, 1.0)), "win", answered("b"))
    assert made.better == 2 and [one.policy for one in made.best] == ["new b"]


def test_a_prompt_that_one_side_did_not_answer_has_not_moved():
    one_side = [row for row in rows("win", a=(0.5, 1.0)) if row.who == "policy"]
    assert movements(one_side, "win", answered("a")).better == 0
    assert movements([], "win", {}) == NOTHING


def test_a_judge_that_saw_both_answers_says_best_what_moved():
    metrics = {
        "checks": {"kind": "check_pass_rate"},
        "sft": {"kind": "length_controlled_win_rate", "against": "sft"},
        "ours": {"kind": "win_rate", "against": "reference"},
    }
    assert moving_metric(metrics) == "ours"
    assert moving_metric({name: metrics[name] for name in ("checks", "sft")}) == "sft"
    assert moving_metric({"checks": metrics["checks"]}) == "checks"
    assert moving_metric({}) is None
