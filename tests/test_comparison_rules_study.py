"""The study of comparison rules counts and compares rightly; a small part of it, run for real."""

import json

import numpy as np
import pytest

from benchmarks.comparison_rules.__main__ import interval, rule
from benchmarks.comparison_rules.page import BEGIN, END, PAGE, table
from benchmarks.comparison_rules.playing import (
    kendall,
    ranked_by_prompt,
    strengths_after,
    verdicts,
)
from benchmarks.comparison_rules.worlds import DATA, AlpacaEval, Contest, LLMBar, PandaLM
from benchmarks.measurement import RESULTS

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no public data at {DATA}")


def clear_contest(n=8):
    """The later member is better, and the judge knows it."""
    return Contest([f"c{i}" for i in range(n)], lambda a, b: float(b > a), np.arange(n))


def test_kendall_counts_right_less_wrong_pairs_and_no_true_ties():
    assert kendall(np.array([1, 2, 3]), np.array([1, 2, 3])) == 1
    assert kendall(np.array([3, 2, 1]), np.array([1, 2, 3])) == -1
    assert kendall(np.array([2, 1, 3]), np.array([1, 1, 3])) == 1
    assert kendall(np.array([1, 1, 3]), np.array([1, 2, 3])) == pytest.approx(2 / 3)


@pytest.mark.parametrize("kind", ["random", "swiss", "active"])
def test_every_rule_spends_its_budget_and_no_more(kind):
    assert len(verdicts(rule(kind, 13), clear_contest(), {}, seed=0)) == 13
    assert len(verdicts(rule(kind, 99), clear_contest(), {}, seed=0)) <= 28


def test_a_perfect_judge_asked_about_every_two_gives_the_true_order():
    calls, tau = ranked_by_prompt(rule("random", 28), [clear_contest()], {}, 0, 1.5)
    assert (calls, tau) == (28, 1)
    spent, strengths = strengths_after(rule("random", 28), [clear_contest()] * 3, 3, 0)
    assert spent == 84
    assert sorted(strengths, key=strengths.__getitem__) == [f"c{i}" for i in range(8)]


def test_an_interval_is_students():
    middle, low, high = interval([1.0, 2.0, 3.0])
    assert middle == 2
    assert (low, high) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-3)


def test_the_page_shows_the_result():
    rows = json.loads((RESULTS / "comparison_rules.json").read_text())["metrics"]["rows"]
    shown = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert shown == table(rows)


@needs_data
@pytest.mark.shared_data
def test_active_ranks_simulated_responses_as_a_random_choice_with_six_tenths_of_the_calls():
    world = AlpacaEval()
    differences = []
    for seed in (2000, 2001):
        taus = [
            ranked_by_prompt(rule(kind, budget), world.tasks(seed, 15), {}, seed, 1.5)[1]
            for kind, budget in (("active", 54), ("random", 90))
        ]
        differences.append(taus[0] - taus[1])
    assert np.mean(differences) > -0.01


@needs_data
@pytest.mark.shared_data
def test_the_worlds_hold_what_the_page_says():
    alpaca, panda, llmbar = AlpacaEval(), PandaLM(), LLMBar()
    assert (len(alpaca.cells), round(alpaca.spread)) == (15, 5)
    assert (len(panda.cells), len(list(panda.complete()))) == (5, 18)
    assert len(llmbar.cells) == 65
    assert max(zip(llmbar.truth, llmbar.cells, strict=True))[1].startswith("GPT-4")
