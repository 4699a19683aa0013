"""Two scores become one opinion: numbers worked out by hand."""

import math

import pytest

from tasks.judging import Asked, Looking
from tasks.opinions import Annotator, Opinion, Question, questions
from tasks.scales import Scale
from tests.opinion_makers import prompt, response

GRADES = Scale(name="1-5", low=1, high=5)
REWARDS = Scale(name="reward", temperature=2.0)


@pytest.mark.parametrize(
    ("first", "second", "outcome", "p", "margin"),
    [
        (3.0, 4.0, "second", 0.625, 0.25),  # 1 of 4 points; (1 + 0.25) / 2
        (4.0, 3.0, "first", 0.375, 0.25),
        (1.0, 5.0, "second", 1.0, 1.0),
        (5.0, 3.0, "first", 0.25, 0.5),
        (2.5, 3.0, "second", 0.5625, 0.125),
    ],
)
def test_on_a_scale_with_ends_the_margin_is_the_share_of_the_scale(
    first, second, outcome, p, margin
):
    opinion = GRADES.opinion(first, second)
    assert (opinion.outcome, opinion.p_second_wins, opinion.strength) == (outcome, p, margin)


@pytest.mark.parametrize(
    ("first", "second", "odds"),
    [(0.0, 2.0, math.e), (-1.0, 3.0, math.e**2), (4.0, 2.0, 1 / math.e)],
)
def test_on_a_scale_without_ends_the_odds_are_e_for_each_temperature_of_difference(
    first, second, odds
):
    p = REWARDS.opinion(first, second).p_second_wins
    assert p / (1 - p) == pytest.approx(odds)
    assert REWARDS.opinion(first, second).strength == pytest.approx(abs(2 * p - 1))


def test_a_gap_of_ln_3_makes_three_to_one():
    opinion = Scale(name="reward").opinion(0.0, math.log(3))
    assert opinion.p_second_wins == pytest.approx(0.75)
    assert opinion.strength == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("gap", "outcome"), [(0.0, "tie"), (0.5, "tie"), (-0.5, "tie"), (0.6, "second")]
)
def test_scores_within_the_tolerance_tie(gap, outcome):
    scale = Scale(name="1-5", low=1, high=5, tolerance=0.5)
    assert scale.opinion(3.0, 3.0 + gap).outcome == outcome


def test_rounding_of_weighted_means_does_not_decide():
    assert GRADES.opinion(0.1 + 0.2, 0.3).outcome == "tie"
    assert (
        Scale(name="c", low=0, high=1, tolerance=0.1).opinion(0.2, 0.30000000000000004).outcome
        == "tie"
    )


def test_a_gap_too_small_for_any_probability_is_a_tie_and_not_certain():
    assert REWARDS.opinion(0.0, 1e-300).outcome == "tie"
    assert Scale(name="reward", temperature=1e9).opinion(0.0, 1e-9).outcome == "tie"


def test_huge_gaps_are_certain_and_nothing_overflows():
    assert REWARDS.opinion(-1e308, 1e308).p_second_wins == 1.0


def test_a_score_that_is_missing_makes_no_comparison():
    assert GRADES.opinion(None, 5.0).outcome == GRADES.opinion(5.0, None).outcome == "unparsed"


def test_swapping_the_responses_swaps_the_opinion():
    for scale in (GRADES, REWARDS):
        one, other = scale.opinion(2.0, 4.5), scale.opinion(4.5, 2.0)
        assert one.p_second_wins == pytest.approx(1 - other.p_second_wins)
        assert (one.outcome, other.outcome) == ("second", "first")


class Grades:
    """A judge that gives scores on `GRADES`."""

    scale = GRADES


def verdicts_by(scores, *, unpaid=False):
    """The verdicts where r1, r2 and r3 are compared in both orders and have `scores`.

    None is a score that was not understood, or one that was not paid for.
    """
    texts = {name: response(name, name) for name in ("r1", "r2", "r3")}
    asked = [
        Asked(one, prompt(), texts[one.first_id], texts[one.second_id])
        for ids in (("r1", "r2"), ("r2", "r3"))
        for one in questions("p", ids, both_orders=True, seed=0)
    ]
    opinions = [
        Opinion(outcome="unparsed" if score is None else "scored", score=score) for score in scores
    ]
    if unpaid:
        opinions = [said if said.outcome == "scored" else None for said in opinions]
    return looking(asked, opinions)


def looking(asked, opinions):
    """What a judge makes of `opinions` on what it is shown."""
    judge = Looking(judge=Grades(), annotator=Annotator(name="main", kind="judge"))
    return judge.verdicts(asked, judge.work(asked), opinions)


def test_each_response_is_scored_once_and_compared_in_both_orders():
    made = verdicts_by([2.0, 4.0, 4.0])
    scores = [(one.a_id, one.b_id, one.outcome, one.score, one.scale) for one in made[:3]]
    assert scores == [
        ("r1", "", "scored", 2.0, "1-5"),
        ("r2", "", "scored", 4.0, "1-5"),
        ("r3", "", "scored", 4.0, "1-5"),
    ]
    compared = [
        (one.a_id, one.b_id, one.first_shown, one.outcome, one.p_b_wins) for one in made[3:]
    ]
    assert compared == [
        ("r1", "r2", "a", "b", 0.75),
        ("r1", "r2", "b", "b", 0.75),
        ("r2", "r3", "a", "tie", None),
        ("r2", "r3", "b", "tie", None),
    ]


def test_a_response_without_a_score_has_no_comparison_that_was_understood():
    made = verdicts_by([2.0, None, 4.0])
    assert [one.outcome for one in made] == ["scored", "unparsed", "scored", *["unparsed"] * 4]
    assert [one.score for one in made] == [2.0, None, 4.0, None, None, None, None]


def test_a_response_that_is_compared_with_itself_ties():
    question = Question(prompt_id="p", first_id="r1", second_id="r1")
    one = response("r1", "x")
    made = looking([Asked(question, prompt(), one, one)], [Opinion(outcome="scored", score=3.0)])
    assert [verdict.outcome for verdict in made] == ["scored", "tie"]


def test_what_was_scored_in_one_wave_is_not_looked_at_in_the_next():
    texts = {name: response(name, name) for name in ("r1", "r2", "r3")}
    judge = Looking(judge=Grades(), annotator=Annotator(name="main", kind="judge"))

    def wave(*ids):
        return [
            Asked(one, prompt(), texts[one.first_id], texts[one.second_id])
            for one in questions("p", ids, both_orders=True, seed=0)
        ]

    first = judge.work(wave("r1", "r2"))
    judge.verdicts(wave("r1", "r2"), first, [Opinion(outcome="scored", score=n) for n in (1, 2)])
    second = judge.work(wave("r2", "r3"))
    assert [one.first.response_id for one in second] == ["r3"]
    made = judge.verdicts(wave("r2", "r3"), second, [Opinion(outcome="scored", score=1)])
    assert [one.outcome for one in made] == ["scored", "a", "a"]


def test_a_score_that_was_not_paid_for_leaves_its_comparisons_out():
    made = verdicts_by([2.0, 4.0, None], unpaid=True)
    assert [one.outcome for one in made] == ["scored", "scored", "b", "b"]
