"""Responses that read nearly the same: one is compared for all of them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.correction import CorrectionSettings, correct, prior_verdicts
from tasks.judge import judge
from tasks.judging import candidates_of, comparisons_of
from tasks.near_duplicates import normalised, standing
from tasks.variants import load_variant
from tests.opinion_makers import both, response
from tests.small_config import small_place

STRENGTHS = {"large": 2.0, "policy": 1.0}
ALL = load_variant("tasks.comparison_rules", "all")


def responses(*texts, cells=()):
    named = zip(texts, [*cells, *["policy"] * len(texts)], strict=False)
    return [response(f"r{i}", text, cell=cell) for i, (text, cell) in enumerate(named)]


def stood_for(rows, min_distance=0.0):
    [members] = candidates_of(rows, STRENGTHS, min_distance).values()
    return {one.response_id: one.represented_by for one in members if one.represented_by}


def asked(rows, min_distance):
    [pairs] = comparisons_of(candidates_of(rows, STRENGTHS, min_distance), ALL, 0).values()
    return pairs


def test_equal_texts_cost_one_comparison_with_each_other_text():
    rows = responses("yes", "yes", "no")
    assert asked(rows, None) == [("r0", "r2"), ("r1", "r2")]
    assert asked(rows, 0.0) == [("r0", "r2")]


def test_texts_are_equal_apart_from_spaces_and_forms_of_unicode():
    assert normalised(" a\n b\u00a0c \ufb01n") == "a b c fin"
    assert stood_for(responses("a  b", "a\nb", "A b")) == {"r1": "r0"}


def test_texts_that_differ_by_less_than_the_distance_are_near_duplicates():
    # one letter of twenty: a distance of 0.05
    rows = responses("a" * 20, "a" * 19 + "b", "b" * 20)
    assert stood_for(rows, 0.05) == {}
    assert stood_for(rows, 0.06) == {"r1": "r0"}
    assert stood_for(rows, None) == {}


def test_the_response_presumed_best_stands_for_the_others():
    rows = responses("yes", "yes", "yes", cells=("policy", "large", "policy"))
    assert stood_for(rows) == {"r0": "r1", "r2": "r1"}


def test_a_response_that_another_stands_for_has_no_presumed_order():
    rows = responses("yes", "yes", "no", cells=("large", "large", "policy"))
    [members] = candidates_of(rows, STRENGTHS, 0.0).values()
    assert [(one.a_id, one.b_id) for one in prior_verdicts(members)] == [("r0", "r2")]


def test_nothing_is_believed_of_a_response_that_was_not_compared():
    rows = responses("yes", "yes", "no", cells=("large", "large", "policy"))
    [members] = candidates_of(rows, STRENGTHS, 0.0).values()
    said = [*prior_verdicts(members), *both("r0", "r2", "b")]
    found = correct(said, members, CorrectionSettings(uncompared="prior"))
    assert [(one.a_id, one.b_id, one.reason) for one in found] == [("r0", "r2", "swapped")]


def test_what_a_person_said_of_a_response_that_was_not_asked_about_counts():
    rows = responses("yes", "yes", "no")
    [members] = candidates_of(rows, STRENGTHS, 0.0).values()
    said = [replace(one, annotator_kind="human") for one in both("r1", "r2", "a")]
    [found] = correct(said, members, CorrectionSettings())
    assert (found.a_id, found.b_id, found.outcome) == ("r1", "r2", "a")


TEXTS = st.lists(st.text("ab ", max_size=6), min_size=1, max_size=6)


@given(TEXTS, st.sampled_from([0.0, 0.2, 0.6]))
def test_whoever_stands_for_another_stands_for_itself(texts, min_distance):
    rows = responses(*texts)
    found = stood_for(rows, min_distance)
    assert not set(found.values()) & set(found)
    [members] = candidates_of(rows, STRENGTHS, min_distance).values()
    assert len(standing(members)) == len(texts) - len(found) >= 1


@pytest.mark.parametrize("min_distance", [0.0, 0.3])
def test_the_order_of_responses_changes_nothing(min_distance):
    rows = responses("yes", "yes!", "no", "yes", "now")
    assert stood_for(rows, min_distance) == stood_for(rows[::-1], min_distance)


class Submitted:
    """Stands for the door of one judge and notes the places it is told."""

    def __init__(self):
        self.places = []

    def submit(self, *, place, **others):
        self.places.append(place)
        return self

    def result(self):
        return None


def test_evaluation_compares_responses_that_read_the_same(monkeypatch):
    noted = Submitted()
    monkeypatch.setattr("tasks.judge.judge_with", noted)
    place = small_place(min_distance=0.1)
    for role in ("train", "evaluation"):
        judge(None, [], {"main": None}, None, role, place)
    assert [one.min_distance for one in noted.places] == [0.1, None]


def test_two_cells_of_the_same_weights_have_given_a_response_once():
    """`round:0` and the policy in the first round: same weights, same settings, same responses."""
    twice = [response("a", "a fig", cell="policy"), response("a", "a fig", cell="old")]
    other = response("b", "a plum", cell="policy")
    [members] = candidates_of([*twice, other], {"policy": 1.0}, 0.1).values()
    assert [(one.response_id, one.cell, one.represented_by) for one in members] == [
        ("a", "policy", ""), ("b", "policy", ""),
    ]  # fmt: skip
