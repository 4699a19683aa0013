"""The study's variants are what they say, at equal budgets, and its seeds share nothing."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from benchmarks.study import runs
from benchmarks.study.__main__ import PARTS, sized
from benchmarks.study.plan import read_plan, shipped
from benchmarks.study.soundness import check
from benchmarks.study.tables import table
from tasks.errors import ConfigError, DataError
from tasks.rounds import resolve
from tests.study_runs import found, plan, run


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


def test_a_run_that_fails_stops_no_other_and_is_named_at_the_end(monkeypatch, capsys):
    class InThisProcess(ThreadPoolExecutor):
        def __init__(self, jobs, mp_context):
            super().__init__(jobs)

    def measure(plan, variant, seed):
        if variant == "tso":
            raise DataError("no preference pair is left of round 0")
        return run(variant, seed)

    monkeypatch.setattr(runs, "ProcessPoolExecutor", InThisProcess)
    monkeypatch.setattr(runs, "run_and_measure", measure)
    some, done = plan(), []
    with pytest.raises(RuntimeError, match=r"2 runs of some failed:\ntso seed \d: no preference"):
        done.extend(runs.finished(some, runs.missing(some, some.variants, some.seeds), jobs=1))
    assert {(one.variant, one.seed) for one in done} == {("no_human", 0), ("no_human", 1)}


def test_the_main_variant_is_run_first_and_what_is_measured_is_not_run_again(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "RESULTS", tmp_path)
    some = plan(variants={"no_human": {}, "tso": {}})
    wanted = runs.missing(some, some.variants, [0])
    assert wanted == [("tso", 0), ("no_human", 0)]
    runs.write_run(runs.record_of(some, "tso", 0), run("tso", 0))
    assert runs.missing(some, some.variants, [0]) == [("no_human", 0)]
    assert runs.measured(some) == {"tso": {0: run("tso", 0)}}


def test_runs_that_begin_with_different_models_are_not_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "RESULTS", tmp_path)
    some = plan()
    runs.write_run(runs.record_of(some, "tso", 0), run("tso", 0))
    runs.write_run(runs.record_of(some, "tso", 1), replace(run("tso", 1), start="taught elsewhere"))
    with pytest.raises(DataError, match="'some' begin with 2 different models"):
        runs.measured(some)


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
