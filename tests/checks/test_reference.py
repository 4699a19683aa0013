import pytest

from tasks.errors import ConfigError
from tasks.variants import load_variant


def check(**settings):
    return load_variant("tasks.checks", "reference", answer="The fox is red.", **settings)


@pytest.mark.parametrize(
    ("text", "f1"),
    [
        ("The fox is red.", 1.0),
        ("the FOX, is red", 1.0),
        ("The fox is blue.", 0.75),  # 3 shared of 4 and 4 words
        ("fox", 0.4),  # 1 shared of 1 and 4 words
        ("red red red", 2 / 7),  # a word counts as often as both have it
        ("Nothing.", 0.0),
        ("", 0.0),
    ],
)
def test_words_in_common_are_measured_by_f1(text, f1):
    assert check(least_f1=f1)(text)
    assert f1 == 1.0 or not check(least_f1=f1 + 0.01)(text)


def test_without_a_bound_it_only_carries_the_answer():
    assert check()("") and check()("anything")


def test_an_answer_must_say_something():
    with pytest.raises(ConfigError, match="answer is empty"):
        load_variant("tasks.checks", "reference", answer=" ")
