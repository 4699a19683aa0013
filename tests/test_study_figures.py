"""The study's figures: intervals that are honest with few seeds, and what may be said of them."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.study.__main__ import sized
from benchmarks.study.intervals import Estimate, array_of, estimate, judged
from benchmarks.study.margins import by_prompt, is_matched, moved
from benchmarks.study.page import FIGURE, PAGE, render, results, said
from benchmarks.study.plan import shipped
from benchmarks.study.sensitivity import Setting, chosen, draw, settings_of
from benchmarks.study.tables import table
from benchmarks.study.worlds.files import is_drawn, split_of
from tasks.losses.dual_clip_dpo import DualClipDPO
from tests.study_runs import plan, run


def test_one_seed_is_as_sure_as_its_prompts_are_many():
    one = estimate(np.array([[1.0, 0.0, 1.0, 0.0]]))
    assert one.mean == 0.5
    assert one.error == pytest.approx((1 / 3) ** 0.5 / 2)
    assert one.freedom == 3


def test_seeds_that_differ_make_an_interval_with_as_few_degrees_of_freedom_as_there_are_seeds():
    one = estimate(np.array([[0.0] * 100, [1.0] * 100]))
    assert one.error == pytest.approx((0.5 / 2) ** 0.5)  # sd of 0 and 1, over the root of 2
    assert one.freedom == pytest.approx(1.0)
    assert one.high > 6  # t with one degree of freedom: two seeds show next to nothing


def test_intervals_over_seeds_and_prompts_hold_the_true_mean_as_often_as_they_say():
    """Seeds shift everything by 0.05, prompts by 0.2, pairs by 0.3; the truth is 0."""
    rng, inside = np.random.default_rng(1), 0
    for _ in range(400):
        values = (
            0.05 * rng.normal(size=(5, 1)) + 0.2 * rng.normal(size=(1, 60))
            + 0.3 * rng.normal(size=(5, 60))
        )  # fmt: skip
        one = estimate(values)
        inside += one.low < 0 < one.high
    assert 0.92 < inside / 400 < 0.99


def test_what_would_have_been_told_is_more_than_the_half_width_of_the_interval():
    one = estimate(np.random.default_rng(0).normal(size=(5, 200)))
    assert (one.high - one.low) / 2 < one.detectable < one.high - one.low


def test_verdicts_are_of_all_comparisons_together():
    def of(mean, error):
        return Estimate(
            mean=mean, low=mean - 2 * error, high=mean + 2 * error, error=error, freedom=100,
            p=0.04 if abs(mean) > 0.02 else 0.9, seeds=5, prompts=512,
        )  # fmt: skip

    alone = {"a": of(0.05, 0.02)}
    assert judged(alone, 0.03) == {"a": "better"}
    together = alone | {"b": of(0.0, 0.01), "c": of(0.0, 0.03), "d": of(-0.05, 0.02)}
    verdicts = judged(together, 0.03)
    assert verdicts == {"a": "unknown", "b": "none", "c": "unknown", "d": "unknown"}


def test_a_run_without_a_prompt_that_the_others_answered_is_not_averaged_over():
    with pytest.raises(KeyError):
        array_of({0: {"p": 1.0, "q": 1.0}, 1: {"p": 1.0}}, [0, 1])


def test_the_page_says_of_each_variant_what_its_interval_allows():
    rng = np.random.default_rng(0)
    better = rng.binomial(1, 0.9, 400).astype(float)
    far = {seed: run("no_human", seed, values=1 - better, responses_human=0) for seed in (0, 1)}
    main = {seed: run("tso", seed, values=better) for seed in (0, 1)}
    near = {seed: run("near", seed, values=np.roll(better, 1)) for seed in (0, 1)}
    some = plan(variants={"tso": {}, "no_human": {}, "near": {}})
    metrics = table(some, {"tso": main, "no_human": far, "near": near})
    result = {
        "name": "study_some", "metrics": metrics, "date": "2026-01-01T00:00",
        "machine": {"cpu": "x", "cores": 2},
    }  # fmt: skip
    text = render([result])
    helps, _, rest = text.partition("**What this size cannot tell.**")
    assert "**What helps.** TSO is better than\n\n- no human: +" in helps
    assert "near" in rest.splitlines()[2]
    assert "would have been told (seeds: 2)." in rest
    assert "| no human | **yes** |" in text
    assert "| near | cannot be told |" in text
    assert "0.5 → 0.6" in text


def test_a_verdict_that_nothing_has_gives_no_heading():
    one = {"verdict": "none", "mean": 0.0, "low": -0.01, "high": 0.01, "seeds": 5}
    blocks = list(said({"a": one}, {"delta": 0.03, "titles": {}, "main": "tso"}))
    assert len(blocks) == 1
    assert blocks[0].startswith("**What makes no difference** of 3 points or more")


def sensitivity():
    return sized(shipped("sensitivity"), "small")


def test_the_grid_holds_every_bound_with_every_other_and_the_default_of_the_loss():
    some, loss = sensitivity(), DualClipDPO()
    settings = settings_of(some.grid)
    assert len(settings) == len(set(settings)) == 25 + 2 * 5 + 5
    default = Setting(beta=loss.beta, c_w=loss.chosen_ceiling, c_l=-loss.rejected_floor)
    assert default.name == some.main
    overrides = some.overrides("b0.1-wnone-l0.25", 0)
    assert overrides["training.loss"]["chosen_ceiling"] is None
    assert overrides["training.loss"]["rejected_floor"] == -0.25


def test_the_default_stands_unless_a_setting_is_surely_better(tmp_path):
    some = sensitivity()
    rng = np.random.default_rng(0)
    low = {seed: rng.binomial(1, 0.5, 300).astype(float) for seed in some.seeds}

    def of(name, shift):
        return {
            seed: run(name, seed, values=np.clip(low[seed] + shift, 0, 1)) for seed in some.seeds
        }

    runs = {some.main: of(some.main, 0.0), "b0.1-w1-l1": of("b0.1-w1-l1", 0.0)}
    long = {"b0.1-w2-l2-long": of("b0.1-w2-l2-long", 1.0)}
    some = replace(some, columns=some.columns[:1])
    surely = runs | long | {"b0.3-w1-l1": of("b0.3-w1-l1", 1.0)}
    assert chosen(some, runs | long)["chosen"] == some.main
    assert chosen(some, surely)["chosen"] == "b0.3-w1-l1"
    metrics = table(some, surely) | {"choice": chosen(some, surely)}
    result = {
        "name": "study_sensitivity", "metrics": metrics, "date": "2026-01-01T00:00",
        "machine": {"cpu": "x", "cores": 2},
    }  # fmt: skip
    assert "the default is to be `b0.3-w1-l1`, the best of them." in render([result])
    draw(result, tmp_path / "figure.svg")
    assert (tmp_path / "figure.svg").read_text(encoding="utf-8").count("<svg") == 1


def test_a_pair_counts_by_who_gained_more_and_a_prompt_once():
    pairs = [
        {
            "prompt_id": "p",
            "chosen": "c",
            "rejected": "r",
            "chosen_tokens": 10,
            "rejected_tokens": 9,
        },
        {
            "prompt_id": "p",
            "chosen": "c",
            "rejected": "s",
            "chosen_tokens": 10,
            "rejected_tokens": 2,
        },
        {
            "prompt_id": "q",
            "chosen": "d",
            "rejected": "t",
            "chosen_tokens": 4,
            "rejected_tokens": 4,
        },
    ]
    start = {"c": -5.0, "r": -1.0, "s": -3.0, "d": -2.0, "t": -2.0}
    policy = {"c": -4.0, "r": -0.5, "s": -1.0, "d": -2.0, "t": -2.0}  # +1, +0.5, +2, 0, 0
    values = moved(pairs, policy, start)
    assert values["reward_accuracy all"] == {"p": 0.5, "q": 0.5}
    assert values["reward_accuracy length_matched"] == {"p": 1.0, "q": 0.5}
    assert values["chosen_gain all"] == {"p": 0.1, "q": 0.0}
    assert [is_matched(one) for one in pairs] == [True, False, True]
    assert by_prompt(pairs, lambda one: 1.0) == {"p": 1.0, "q": 1.0}


def test_prompts_are_dealt_once_and_alike_whatever_their_order():
    ids = [f"p{i}" for i in range(100)]
    splits = split_of(ids, {"sealed": 20, "held_out": 10}, 20)
    assert splits == split_of(reversed(ids), {"sealed": 20, "held_out": 10}, 20)
    sizes = [list(splits.values()).count(one) for one in ("sealed", "held_out", "train")]
    assert sizes == [20, 10, 70]
    assert 10 < sum(is_drawn(one, 0.2, 20) for one in ids) < 30


@pytest.mark.skipif(not PAGE.is_file(), reason="nothing is measured yet")
def test_the_page_is_what_the_results_say():
    assert PAGE.read_text(encoding="utf-8") == render(results())
    choices = [one["metrics"]["choice"] for one in results() if "choice" in one["metrics"]]
    for choice in choices:
        loss = DualClipDPO()
        default = Setting(beta=loss.beta, c_w=loss.chosen_ceiling, c_l=-loss.rejected_floor)
        assert choice["chosen"] == default.name
        assert FIGURE.is_file()
