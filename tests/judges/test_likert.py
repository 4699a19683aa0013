import pytest

from tasks.errors import ConfigError
from tests.judges_asking import asking
from tests.opinion_makers import prompt


def test_the_grade_is_the_score():
    opinion = asking("likert").parse("Right, but long.\nScore: 4")
    assert (opinion.outcome, opinion.score) == ("scored", 4.0)


def test_grades_of_the_scale_alone_count():
    wide = asking("likert", lowest=0, highest=10)
    assert [wide.parse(f"Score: {grade}").score for grade in (0, 10, 11)] == [0.0, 10.0, None]
    assert asking("likert").parse("Score: 0").score is None
    assert wide.scale.name == "0-10"


def test_the_question_shows_the_response_and_the_scale():
    (message,) = asking("likert", highest=7).render(prompt(text="Name a river."), "The Rhine.")
    text = message["content"]
    assert text.index("Name a river.") < text.index("The Rhine.") < text.index("from 1")
    assert "to 7 " in text and "Score: N" in text


def test_a_server_can_hold_the_reply_to_the_scale():
    assert "response_format" not in asking("likert").request()
    schema = asking("likert", structured="json_schema").request()["response_format"]["json_schema"]
    assert schema["schema"]["properties"]["score"] == {"type": "integer", "enum": [1, 2, 3, 4, 5]}
    assert schema["strict"] and not schema["schema"]["additionalProperties"]
    choice = asking("likert", structured="choice").request()["structured_outputs"]
    assert choice == {"choice": ["1", "2", "3", "4", "5"]}


@pytest.mark.parametrize(("lowest", "highest"), [(5, 5), (5, 1), (-1, 5), (0, 101)])
def test_a_scale_needs_two_ends_in_order(lowest, highest):
    with pytest.raises(ConfigError, match=rf"lowest is {lowest} and highest {highest}"):
        asking("likert", lowest=lowest, highest=highest)
