"""The worlds of recorded data: what is measured is not trained on, and verdicts find texts."""

import pytest

from benchmarks.real_preferences.preferences import prompt_texts
from benchmarks.study.plan import shipped
from benchmarks.study.worlds.alpaca_eval import pair_rows, side
from benchmarks.study.worlds.files import read_rows
from benchmarks.study.worlds.gsm8k import FORM, MARKS
from benchmarks.study.worlds.recorded import DATA, WRITERS, excluded, settings_of
from tasks.check_results import check_results
from tasks.checks.regex import Regex
from tests.opinion_makers import prompt

real = pytest.mark.skipif(not DATA.is_dir(), reason=f"no public data at {DATA} (TSO_SHARED_DATA)")


@pytest.fixture(scope="module", params=["gsm8k", "alpaca_eval"])
def world(request, tmp_path_factory):
    """The files of one world by name, its plan and its name."""
    folder, plan = tmp_path_factory.mktemp(request.param), shipped(request.param)
    WRITERS[request.param](DATA, folder, plan.world)
    return {path.stem: read_rows(path) for path in folder.glob("*.jsonl")}, plan, request.param


@real
@pytest.mark.shared_data
def test_pairs_are_measured_on_prompts_that_no_run_is_trained_on(world):
    rows, plan, _ = world
    split = {one["prompt"]: one["split"] for one in rows["prompts"]}
    assert {split[one["prompt"]] for one in rows["pairs"]} == {"sealed"}
    sizes = [list(split.values()).count(one) for one in ("sealed", "held_out")]
    assert sizes == [plan.world["splits"]["sealed"], plan.world["splits"]["held_out"]]
    assert list(split.values()).count("train") >= plan.all["prompts.per_round"] * plan.rounds
    assert all(one["chosen"] != one["rejected"] for one in rows["pairs"])
    assert len(rows["pairs"]) > 300


@real
@pytest.mark.shared_data
def test_every_verdict_is_on_texts_that_cells_answer_with(world):
    rows, _, name = world
    if name == "gsm8k":
        assert "verdicts" not in rows
        return
    files = {one for one in rows if one not in ("prompts", "pairs", "verdicts", "human")}
    texts = {(one["prompt"], one["response"]) for file in files for one in rows[file]}
    assert len(files) == 5
    for one in rows["verdicts"]:
        assert {(one["prompt"], one["a"]), (one["prompt"], one["b"])} <= texts


@real
@pytest.mark.shared_data
def test_a_right_recorded_answer_meets_its_problems_checks_and_a_wrong_one_not(world):
    rows, _, name = world
    if name == "alpaca_eval":
        assert all("checks" not in one for one in rows["prompts"])
        return
    checks = {one["prompt"]: one["checks"] for one in rows["prompts"]}
    agree = []
    for one in rows["pairs"]:
        asked = prompt(*checks[one["prompt"]])
        right, wrong = (check_results(asked, one[side])[0].met for side in ("chosen", "rejected"))
        agree += [right, not wrong]
        assert not MARKS.search(one["chosen"] + one["rejected"])
    assert sum(agree) / len(agree) > 0.98


@real
@pytest.mark.shared_data
def test_no_prompt_of_any_world_may_be_taught(world):
    rows, _, _ = world
    texts = set(prompt_texts(excluded(DATA)))
    assert {one["prompt"] for one in rows["prompts"]} <= texts


def test_an_answer_in_the_form_ends_with_its_marked_number():
    form = Regex(pattern=FORM, mode="search")
    assert all(form(text) for text in ("so 7\n#### 7", "A: 18", "A: $1,024.5 ", "#### -3"))
    assert not any(form(text) for text in ("so it is 7", "#### 7 apples", "A: seven", "####"))


def test_a_preference_below_one_and_a_half_is_the_baselines():
    assert [side(one) for one in (1.0, 1.5, 2.0)] == ["a", "tie", "b"]
    verdict = {"prompt": "p", "baseline": "x", "other": "y", "model": "m"}
    pairs = list(pair_rows([verdict | {"preference": one} for one in (1.0, 1.5, 2.0, None)]))
    assert [(one["chosen"], one["rejected"]) for one in pairs] == [("x", "y"), ("y", "x")]


def test_an_unknown_size_is_refused():
    assert settings_of("large")["device"] == "cuda"
    assert settings_of("small")["max_tokens"] == 512
    with pytest.raises(SystemExit, match="there are: small, large"):
        settings_of("huge")
