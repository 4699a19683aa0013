"""How sure judges are, where they decided and did not say: by scores, or by wins."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.beliefs import Belief, dropped
from tasks.correction import CorrectionSettings, correct
from tasks.degrees import by_score, by_wins
from tasks.judges.rule import Rule
from tasks.opinions import Annotator, Question, verdict_of
from tasks.variants import settings_of
from tests.opinion_makers import both, candidate, person, prompt, response

A, B, C = (candidate(name) for name in ("a", "b", "c"))


def margins(verdicts, **chosen):
    found = correct(verdicts, [A, B, C], CorrectionSettings(**chosen))
    return {(one.a_id, one.b_id): round(one.margin, 6) for one in found}


def test_without_degrees_a_key_of_a_stage_is_as_it_was():
    assert "degrees" not in settings_of(CorrectionSettings())
    assert settings_of(CorrectionSettings(degrees="wins"))["degrees"] == "wins"


def test_by_wins_the_best_leads_the_worst_by_more_than_the_second():
    order = [*both("a", "b", "a"), *both("b", "c", "a"), *both("a", "c", "a")]
    assert margins(order) == {("a", "b"): 1, ("a", "c"): 1, ("b", "c"): 1}
    # a wins 2 of 2, b 1 of 2, c none
    assert margins(order, degrees="wins") == {("a", "b"): 0.5, ("a", "c"): 1, ("b", "c"): 0.5}


def test_by_wins_a_tie_is_half_a_win():
    said = [*both("a", "b", "tie"), *both("b", "c", "a"), *both("a", "c", "a")]
    found = margins(said, degrees="wins")  # a and b win 1.5 of 2, c none
    assert (found["a", "c"], found["b", "c"], found["a", "b"]) == (0.75, 0.75, 0)


def test_by_wins_people_stay_certain():
    said = [*both("a", "b", "a"), *both("b", "c", "a"), person("a", "c", "a")]
    assert margins(said, degrees="wins")["a", "c"] == 1
    assert margins(said, degrees="wins")["a", "b"] == 0.5


def test_a_winner_that_wins_less_than_the_loser_leads_by_nothing():
    beliefs = {
        ("a", "b"): Belief("a", 0.0, "judge", "kept"),
        ("b", "c"): Belief("a", 0.0, "judge", "kept"),
        ("b", "d"): Belief("a", 0.0, "judge", "kept"),
        ("a", "c"): Belief("b", 1.0, "judge", "kept"),
        ("a", "d"): Belief("b", 1.0, "judge", "kept"),
        ("c", "d"): dropped("tie"),
    }
    found = by_wins(beliefs)  # a wins 1 of 3, b 2 of 3
    assert found["a", "b"] == Belief("a", 0.5, "judge", "kept")
    assert found["c", "d"] == beliefs["c", "d"]


@given(st.lists(st.sampled_from("ab"), min_size=3, max_size=3))
def test_by_wins_no_decision_turns_and_probabilities_stay_between_even_and_certain(outcomes):
    ids = [("a", "b"), ("a", "c"), ("b", "c")]
    beliefs = {
        pair: Belief(one, float(one == "b"), "judge", "kept")
        for pair, one in zip(ids, outcomes, strict=True)
    }
    for pair, found in by_wins(beliefs).items():
        assert found.outcome == beliefs[pair].outcome
        p = found.p_b_wins if found.outcome == "b" else 1 - found.p_b_wins
        assert 0.5 <= p <= 1


@pytest.fixture
def ruled():
    """Verdicts of a rule that scores its responses 1, 0.5 and 0."""
    asked = prompt({"kind": "contains", "text": "x"}, {"kind": "contains", "text": "y"})
    answers = {
        name: response(name, text) for name, text in zip("abc", ("xy", "x", "-"), strict=True)
    }
    judge, annotator = Rule(), Annotator(name="rule", kind="judge")
    return [
        verdict_of(
            judge.compare(asked, answers[one], answers[two], "q"),
            Question(prompt_id="p", first_id=one, second_id=two),
            annotator,
        )
        for pair in ("ab", "ac", "bc")
        for one, two in (pair, pair[::-1])
    ]


def test_by_scores_a_margin_is_the_gap_as_a_share_of_the_scale(ruled):
    assert margins(ruled) == {("a", "b"): 1, ("a", "c"): 1, ("b", "c"): 1}
    expected = {("a", "b"): 0.5, ("a", "c"): 1, ("b", "c"): 0.5}
    assert margins(ruled, degrees="scores") == expected


def test_by_scores_what_has_a_probability_no_score_or_a_person_stays(ruled):
    [first, *_] = ruled
    for one in (
        replace(first, p_b_wins=0.2),
        replace(first, strength=None),
        replace(first, annotator_kind="human"),
        replace(first, outcome="tie"),
    ):
        assert by_score(one) == one
    assert by_score(first).p_b_wins == 0.25
