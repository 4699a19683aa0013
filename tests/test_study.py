"""The study: intervals that are honest with few seeds, and variants that are what they say."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.study.__main__ import PARTS, sized
from benchmarks.study.facts import Facts
from benchmarks.study.intervals import Estimate, array_of, estimate, judged
from benchmarks.study.margins import by_prompt, is_matched, moved
from benchmarks.study.page import FIGURE, PAGE, render, results, said
from benchmarks.study.plan import Plan, read_plan, shipped
from benchmarks.study.runs import Run
from benchmarks.study.sensitivity import Setting, chosen, draw, settings_of
from benchmarks.study.soundness import check
from benchmarks.study.tables import table
from benchmarks.study.worlds.files import is_drawn, split_of
from tasks.errors import ConfigError, DataError
from tasks.losses.dual_clip_dpo import DualClipDPO
from tasks.rounds import resolve

COUNTS = {
    "prompts": 48, "rounds": 2, "rounds.later": 1, "responses": 192, "responses.policy": 96,
    "responses.large": 96, "responses.human": 5, "verdicts.judge": 400, "verdicts.human": 20,
    "steps": 12, "steps.dual_clip_dpo": 12, "clipped.rejected": 3,
}  # fmt: skip
CLIPPED = {"kind": "dual_clip_dpo", "beta": 0.1, "chosen_ceiling": 2.0, "rejected_floor": -2.0}


def plan(**changes):
    some = {
        "name": "some", "preset": "quickstart", "seeds": [0, 1], "rounds": 2, "split": "sealed",
        "temperatures": [0.0], "variants": {"tso": {}, "no_human": {}},
        "lacks": {"no_human": ["responses.human"]}, "equal": ["prompts", "responses", "steps"],
        "columns": [{"of": "policy@0", "measure": "checks all", "title": "all"}],
        "world": {"kind": "quickstart"},
    }  # fmt: skip
    return Plan(**some | changes)


def run(variant, seed, *, values=(1.0, 0.0), loss=CLIPPED, examples=None, policy=None, **counts):
    facts = Facts(
        counts={**COUNTS, **{name.replace("_", "."): count for name, count in counts.items()}},
        prompts=f"prompts {seed}",
        examples=examples or [f"{variant} {seed}"],
        policies=[policy or f"{variant} {seed}"],
        figures=[{"checks": 0.5}, {"checks": 0.6}],
        loss=loss,
        training=[{"loss": 0.7, "clipped_chosen": 0.0}, {"loss": 0.6, "clipped_chosen": 0.1}],
    )
    by_prompt = {f"p{i}": value for i, value in enumerate(values)}
    return Run(
        variant=variant, seed=seed, run=f"study-{variant}-{seed}", seconds=60.0, commit="abc",
        values={"policy@0": {"checks all": by_prompt}}, facts=facts,
    )  # fmt: skip


def found(**more):
    two = {
        "tso": {seed: run("tso", seed) for seed in (0, 1)},
        "no_human": {seed: run("no_human", seed, responses_human=0) for seed in (0, 1)},
    }
    for name, runs in more.items():
        two[name] = two.get(name, {}) | runs
    return two


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


def test_a_study_whose_variants_are_what_they_say_is_sound():
    check(plan(), found())


@pytest.mark.parametrize(
    ("runs", "said_"),
    [
        ({"no_human": {0: run("no_human", 0)}}, "shall have no responses.human and has 5"),
        (
            {"no_human": {0: run("no_human", 0, responses_human=0, verdicts_judge=0)}},
            "has no verdicts.judge, which its plan does not name",
        ),
        ({"tso": {0: run("tso", 0, responses_human=0)}}, "lacks responses.human, but so does tso"),
        (
            {"no_human": {0: run("no_human", 0, responses_human=0, steps=11)}},
            "no_human seed 0 has 11 steps, tso has 12",
        ),
        (
            {"no_human": {0: run("no_human", 0, responses_human=0, policy="tso 0")}},
            "made the same policy with seed 0",
        ),
        ({"tso": {1: run("tso", 1, policy="tso 0")}}, "tso: seeds 0 and 1 share a policy"),
        (
            {"tso": {1: run("tso", 1, examples=["tso 0"])}},
            "tso: seeds 0 and 1 share a round's examples",
        ),
        ({"tso": {1: run("tso", 1, values=(1.0,))}}, "not all answered the same sealed prompts"),
    ],
)
def test_what_would_silently_be_wrong_ends_the_study(runs, said_):
    with pytest.raises(DataError, match=said_):
        check(plan(), found(**runs))


def test_other_prompts_are_another_budget():
    other = run("no_human", 0, responses_human=0)
    other = replace(other, facts=replace(other.facts, prompts="others"))
    with pytest.raises(DataError, match="trained on other prompts than tso"):
        check(plan(), found(no_human={0: other}))


def test_clip_and_no_clip_may_be_one_where_no_reward_passed_a_bound():
    dpo = {"kind": "dpo", "beta": 0.1}
    lacks = {"no_clip": ["steps.dual_clip_dpo"]}
    same = {"examples": ["e"], "policy": "weights"}

    def both(clipped):
        plain = run("no_clip", 0, loss=dpo, steps_dpo=12, **same)
        counts = {**plain.facts.counts, "steps.dual_clip_dpo": 0, "clipped.rejected": 0}
        return {
            "tso": {0: run("tso", 0, clipped_rejected=clipped, **same)},
            "no_clip": {0: replace(plain, facts=replace(plain.facts, counts=counts))},
        }

    some = plan(variants={"tso": {}, "no_clip": {}}, lacks=lacks)
    check(some, both(clipped=0))
    assert table(some, both(clipped=0))["coincide"] == {"no_clip": [0]}
    with pytest.raises(DataError, match="made the same policy"):
        check(some, both(clipped=3))


@pytest.mark.parametrize("part", PARTS)
def test_every_variant_of_every_plan_is_a_valid_configuration_of_its_own(part):
    some = sized(shipped(part), "small")
    for variant in list(some.variants)[-10:]:
        config, _ = resolve(some.preset, some.overrides(variant, 3))
        assert config.run.seed == 3
    names = {some.run(variant, seed) for variant in some.variants for seed in some.seeds}
    assert len(names) == len(some.variants) * len(some.seeds)
    assert some.main in some.variants


def test_a_larger_model_is_other_runs_on_a_gpu_with_results_of_its_own():
    small, large = (sized(shipped("gsm8k"), size) for size in ("small", "large"))
    config, _ = resolve(large.preset, large.overrides("tso", 0))
    assert config.run.base_model == "work/study/models/large"
    assert config.training.device == config.matrix["policy"].engine.device == "cuda"
    assert (small.name, large.name) == ("gsm8k", "gsm8k_large")
    assert small.run("tso", 0) != large.run("tso", 0)


@pytest.mark.parametrize("part", ["quickstart", "gsm8k", "alpaca_eval"])
def test_one_round_has_the_prompts_and_the_steps_of_three(part):
    some = shipped(part)
    for variant in some.variants:
        config, _ = resolve(some.preset, some.overrides(variant, 0))
        rounds, main = some.num_rounds(variant), resolve(some.preset, some.overrides("tso", 0))[0]
        assert rounds * config.prompts.per_round == 3 * main.prompts.per_round
        assert rounds * config.training.max_steps == 3 * main.training.max_steps


def test_in_the_quickstart_every_variant_asks_models_for_as_many_responses():
    some = shipped("quickstart")
    for variant in some.variants:
        config, _ = resolve(some.preset, some.overrides(variant, 0))
        models = [cell for cell in config.matrix.values() if cell.origin != "human"]
        assert sum(cell.samples for cell in models) == 8
        assert config.comparisons.budget == 8


def test_judge_and_people_err_by_the_seed_where_there_are_any():
    some = shipped("quickstart")
    config, _ = resolve("quickstart", some.overrides("tso", 4))
    assert config.judges["main"].seed == config.annotate.people["bo"].seed == 4
    config, _ = resolve("quickstart", some.overrides("no_ai_correction", 4))
    assert not config.judges
    config, _ = resolve("quickstart", some.overrides("no_human_correction", 4))
    assert not config.annotate.people


def test_other_settings_are_another_run():
    some = plan()
    changed = replace(some, all={"training.learning_rate": 1e-9})
    longer = replace(some, rounds=3)
    assert len({one.run("tso", 0) for one in (some, changed, longer)}) == 3


def test_a_plan_that_names_no_variant_of_its_own_is_refused(tmp_path):
    path = tmp_path / "bad.yaml"
    text = "{seeds: [0], rounds: 1, split: dev, temperatures: [0.0], variants: {a: {}}, %s}"
    path.write_text(text % "lacks: {b: []}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"lacks names \['b'\]"):
        read_plan(path)
    path.write_text(text % "lack: {a: []}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"a plan has no \['lack'\]"):
        read_plan(path)


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
    assert "would have been told (2 seeds)." in rest
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
