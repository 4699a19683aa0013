import pytest

from tasks.opinions import Annotator, Opinion, Question, questions, verdict_of

JUDGE = Annotator(name="main", kind="judge", version="v")
SHOWN = Question(prompt_id="p", first_id="x1", second_id="x2")
SWAPPED = Question(prompt_id="p", first_id="x2", second_id="x1")


@pytest.mark.parametrize(
    ("question", "outcome", "expected"),
    [
        (SHOWN, "first", "a"),
        (SHOWN, "second", "b"),
        (SWAPPED, "first", "b"),
        (SWAPPED, "second", "a"),
        (SWAPPED, "tie", "tie"),
        (SWAPPED, "unparsed", "unparsed"),
    ],
)
def test_the_verdict_names_the_response_that_was_shown_there(question, outcome, expected):
    verdict = verdict_of(Opinion(outcome=outcome), question, JUDGE)
    assert (verdict.a_id, verdict.b_id, verdict.outcome) == ("x1", "x2", expected)


def test_the_probability_is_that_of_b_in_either_order():
    sure = Opinion(outcome="second", p_second_wins=0.75)
    assert verdict_of(sure, SHOWN, JUDGE).p_b_wins == 0.75
    assert verdict_of(sure, SWAPPED, JUDGE).p_b_wins == 0.25


def test_both_orders_are_one_comparison_with_one_id():
    first, second = questions("p", ("x2", "x1"), both_orders=True, seed=0)
    assert (first, second) == (SHOWN, SWAPPED)
    assert first.id == second.id


def test_a_single_order_is_drawn_evenly():
    shown = [questions("p", (f"a{i}", f"b{i}"), False, 0)[0].first_id[0] for i in range(1000)]
    assert 440 < shown.count("a") < 560
