import pytest

from tasks.errors import DataError
from tests.judges_asking import asking
from tests.opinion_makers import prompt

NUMBER = {"kind": "final_number", "expected": "3 + 4 = 7"}
REFERENCE = {"kind": "reference", "answer": "The Elbe."}


def shown(*checks, **settings):
    judge = asking("reference_guided", **settings)
    (message,) = judge.render(prompt(*checks, text="Which?"), "The Rhine.", "Berlin.")
    return message["content"]


def test_the_reference_answer_stands_between_conversation_and_responses():
    text = shown(REFERENCE)
    places = [text.index(one) for one in ("Which?", "The Elbe.", "The Rhine.", "Berlin.")]
    assert places == sorted(places)


def test_a_reference_comes_before_a_final_number():
    assert "3 + 4 = 7" in shown(NUMBER)
    assert "3 + 4 = 7" not in shown(NUMBER, REFERENCE)


def test_a_prompt_without_a_reference_answer_is_refused_by_name():
    with pytest.raises(DataError, match=r"prompt p has no reference answer; give it a check of ki"):
        shown({"kind": "contains", "text": "x"}, without_reference="refuse")


def test_without_a_reference_it_may_ask_as_pairwise():
    assert "Reference answer" not in shown(without_reference="ask")


def test_it_reads_replies_as_pairwise():
    assert asking("reference_guided").parse("So.\nVerdict: B").outcome == "second"
