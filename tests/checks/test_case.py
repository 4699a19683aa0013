import pytest

from tasks.checks.case import Case


@pytest.mark.parametrize(
    ("case", "text"),
    [("lower", "fox, owl."), ("upper", "FOX; OWL!"), ("title", "Fox\nOwl?")],
)
def test_each_case_knows_its_own_and_no_other(case, text):
    assert [one for one in ("lower", "upper", "title") if Case(case=one)(text)] == [case]


def test_one_word_in_another_case_is_not_met():
    assert not Case(case="lower")("fox, Owl")
    assert not Case(case="title")("Fox, OWl")


def test_marks_and_numbers_play_no_part():
    assert Case(case="title")('1. (Fox) 2. "Owl"')


def test_a_text_without_letters_has_no_case():
    assert not Case(case="lower")("1, 2")
