import pytest

from tasks.errors import ConfigError
from tasks.opinions import Annotator, Question, score_verdicts
from tests.judges_asking import asking
from tests.opinion_makers import prompt


def test_the_score_is_the_weighted_mean_of_the_grades():
    opinion = asking("rubric").parse("True but muddled.\naccuracy: 5\nclarity: 2")
    assert opinion.score == (3 * 5 + 1 * 2) / 4
    assert opinion.aspects == (("accuracy", 5.0), ("clarity", 2.0))


def test_the_order_of_the_lines_is_free():
    assert asking("rubric").parse("clarity: 2\naccuracy: 5").score == 4.25


def test_each_aspect_has_a_verdict_under_its_own_criterion():
    opinion = asking("rubric").parse("accuracy: 5\nclarity: 2")
    question = Question(prompt_id="p", first_id="r", second_id="")
    made = score_verdicts(opinion, question, Annotator(name="main", kind="judge"), "1-5")
    told = [(one.criterion, one.score, one.scale, one.a_id, one.b_id) for one in made]
    assert told == [
        ("overall", 4.25, "1-5", "r", ""),
        ("accuracy", 5.0, "1-5", "r", ""),
        ("clarity", 2.0, "1-5", "r", ""),
    ]
    assert [one.reply is None for one in made] == [False, True, True]


def test_the_question_names_every_aspect():
    (message,) = asking("rubric").render(prompt(), "The Rhine.")
    assert "accuracy: Is it true?\nclarity: Clear?\n" in message["content"]
    assert message["content"].endswith("accuracy: N\nclarity: N\n")


def test_a_schema_asks_for_each_aspect():
    schema = asking("rubric", structured="json_schema").request()["response_format"]["json_schema"]
    scores = schema["schema"]["properties"]["scores"]
    assert scores["required"] == ["accuracy", "clarity"] and not scores["additionalProperties"]


def test_grades_of_several_aspects_are_no_choice():
    with pytest.raises(ConfigError, match=r"'choice'; its replies can be held to: none, json_sch"):
        asking("rubric", structured="choice")


@pytest.mark.parametrize(
    "names", [("a", "A"), ("overall", "a"), ("a:", "b"), (" ", "b"), ("a\nb",)]
)
def test_names_of_aspects_that_cannot_be_told_apart_are_refused(names):
    with pytest.raises(ConfigError, match="write different names"):
        asking("rubric", aspects={name: {"question": "?"} for name in names})


def test_a_rubric_without_aspects_is_refused():
    with pytest.raises(ConfigError, match="aspects"):
        asking("rubric", aspects={})
