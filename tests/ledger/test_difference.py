"""What differs between two rounds: settings, stages, counts, figures, pairs."""

from dataclasses import replace

import numpy as np
import pytest

from tasks.ledger.difference import (
    FigureSide,
    count_changes,
    figure_changes,
    pairs_change,
    stage_changes,
    values_of,
)
from tasks.ledger.log import entries
from tasks.ledger.rounds import RoundFacts, main_metric, settings_changed
from tasks.measuring import Measured
from tasks.records import EvalReport
from tests.opinion_makers import pair

PROMPTS = [f"p{number:03}" for number in range(200)]


def round_of(index=0, config=None, counts=None, figures=(), **manifest):
    """A round whose figures are (metric, slice, value, standard error)."""
    policy = f"policy {index}"
    return RoundFacts(
        manifest={
            "round_index": index, "policy": {"sha256": policy, "step": 3}, "counts": counts or {},
            "reference_in": {"sha256": "r"}, "reference_out": {"sha256": policy},
            "gate": {"outcome": "promoted", "reasons": ["fine"]}, "artifacts": {}, **manifest,
        },
        config=config or {},
        evaluation=[
            EvalReport(checkpoint=policy, metric=metric, slice=part, value=value,
                       standard_error=error, n=200)
            for metric, part, value, error in figures
        ],
        sft="sft",
    )  # fmt: skip


def side(index, values, metric="win"):
    """A round's figure with the value of each prompt."""
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1) / len(values) ** 0.5)
    rows = [
        Measured(metric=metric, slice="all", who="policy", prompt_id=prompt_id, value=value,
                 higher_is_better=True)
        for prompt_id, value in zip(PROMPTS, values, strict=False)
    ]  # fmt: skip
    return FigureSide(round_of(index, figures=[(metric, "all", mean, error)]), values_of(rows))


def test_settings_are_named_by_their_keys_and_where_work_is_done_does_not_count():
    before = {"training": {"epochs": 1, "loss": {"kind": "dpo"}}, "machine": {"side_by_side": 1}}
    after = {"training": {"epochs": 2, "loss": {"kind": "ipo"}}, "machine": {"side_by_side": 4}}
    found = [(one.key, one.before, one.after) for one in settings_changed(before, after)]
    assert found == [("training.epochs", 1, 2), ("training.loss.kind", "dpo", "ipo")]


def test_a_name_with_dots_in_it_is_found():
    found = settings_changed({"prices": {"org/m-1.5": {"in": 1}}}, {"prices": {}})
    assert [(one.key, one.before, one.after) for one in found] == [
        ("prices.org/m-1.5", {"in": 1}, None)
    ]


def test_a_stage_says_which_part_of_its_key_differs():
    key = {"settings": {"beta": 0.1}, "inputs": {"pairs": "x"}, "seeds": {"round": 0}}
    other = {"settings": {"beta": 0.2}, "inputs": {"pairs": "x"}, "seeds": {"round": 1}}
    before = {"train": {"content": "c", "key": key}, "pair": {"content": "p", "key": key}}
    after = {"train": {"content": "d", "key": other}, "pair": {"content": "p", "key": key},
             "score": {"content": "s", "key": key}}  # fmt: skip
    found = {one.role: (one.state, one.because) for one in stage_changes(before, after)}
    assert found == {
        "pair": ("same", []),
        "score": ("new", []),
        "train": ("other", ["settings.beta", "seeds.round"]),
    }


def test_counts_that_appear_or_vanish_differ_from_zero():
    before = round_of(counts={"pair": {"made": 5, "dropped_tie": 2}})
    after = round_of(counts={"pair": {"made": 5, "dropped_cycle": 1}})
    found = [(one.name, one.before, one.after) for one in count_changes(before, after)]
    assert found == [("dropped_cycle", 0, 1), ("dropped_tie", 2, 0)]


def test_figures_on_the_same_prompts_are_paired_and_on_others_are_not():
    noise = np.random.default_rng(0).normal(0, 1, 200)
    before, after = side(0, list(noise)), side(1, list(noise + 0.1))
    [paired] = figure_changes(before, after, slices=False)
    assert paired.paired and paired.beyond_chance
    assert paired.low == pytest.approx(0.1) == pytest.approx(paired.high), "the same on each prompt"
    [alone] = figure_changes(before, replace_values(after), slices=False)
    assert not alone.paired and not alone.beyond_chance
    assert alone.difference == pytest.approx(0.1)
    # 1.96 times the root of two squared standard errors of about 1 / sqrt(200)
    width = 1.96 * (2 * np.var(noise) / 199) ** 0.5
    assert alone.high - alone.difference == pytest.approx(width, rel=0.01)


def replace_values(given):
    """The same figure without a value for each prompt."""
    return FigureSide(given.facts, {})


def test_a_win_rate_against_another_reference_is_another_question():
    metrics = {"win": {"kind": "win_rate", "against": "reference"}}
    config = {"evaluation": {"metrics": metrics}}
    before, after = side(0, [0.0, 1.0, 1.0]), side(1, [1.0, 1.0, 0.0])
    moved = {**after.facts.manifest, "reference_in": {"sha256": "other"}}
    after = FigureSide(replace(after.facts, manifest=moved, config=config), after.values)
    before = FigureSide(replace(before.facts, config=config), before.values)
    [one] = figure_changes(before, after, slices=False)
    assert one.note == "another opponent: the reference moved"


def test_slices_are_compared_when_they_are_asked_for():
    figures = [("win", "all", 0.5, 0.1), ("win", "poem", 0.4, 0.1)]
    sides = [FigureSide(round_of(index, figures=figures), {}) for index in range(2)]
    assert [one.slice for one in figure_changes(*sides, slices=False)] == ["all"]
    assert [one.slice for one in figure_changes(*sides, slices=True)] == ["all", "poem"]


def test_turned_pairs_are_told_apart_from_new_ones():
    before = [pair("a", "b"), pair("c", "d"), pair("e", "f")]
    after = [pair("a", "b"), pair("d", "c"), pair("g", "h")]
    found = pairs_change(before, after)
    assert (found.same, found.turned, found.gone, found.new) == (1, [("c", "d")], 1, 1)
    assert found.prompts_in_both == 1


def test_the_log_has_the_newest_round_first_with_what_changed_in_it():
    rounds = [
        round_of(0, config={"training": {"epochs": 1}}, figures=[("win", "all", 0.5, 0.1)]),
        round_of(1, config={"training": {"epochs": 2}}, figures=[("win", "all", 0.6, 0.1)]),
    ]
    newest, first = entries(rounds)
    assert (newest.round_index, first.round_index) == (1, 0)
    assert [one.key for one in newest.changed] == ["training.epochs"] and not first.changed
    [figure] = newest.figures
    assert (round(figure.low, 3), round(figure.high, 3)) == (0.404, 0.796)
    assert newest.refreshed and newest.seconds is None


def test_a_run_is_told_by_its_win_rate_against_the_sft_model():
    metrics = {
        "checks": {"kind": "check_pass_rate"},
        "ours": {"kind": "win_rate", "against": "reference"},
        "win": {"kind": "win_rate"},
    }
    figures = [(name, "all", 0.5, 0.1) for name in metrics]
    one = round_of(figures=figures, config={"evaluation": {"metrics": metrics}})
    assert main_metric([one]) == "win"
    assert main_metric([round_of(figures=figures[:1])]) == "checks"
    assert main_metric([]) is None
