import math

import pytest

from tasks.errors import ConfigError
from tests.judges_asking import asking
from tests.opinion_makers import prompt


def read(tokens, **settings):
    return asking("logprob", **settings).parse("A", tokens)


def test_the_probability_is_the_share_of_the_second_letter():
    opinion = read([("A", math.log(0.6)), ("B", math.log(0.2)), ("C", math.log(0.2))])
    assert opinion.p_second_wins == pytest.approx(0.25)
    assert opinion.outcome == "first"


def test_a_letter_with_white_space_is_the_same_letter():
    tokens = [("A", math.log(0.3)), (" B", math.log(0.4)), ("B", math.log(0.2))]
    assert read(tokens).p_second_wins == pytest.approx(0.6 / 0.9)


@pytest.mark.parametrize(
    "tokens",
    [
        [],
        [("A", -0.01)],
        [("B", -0.01)],
        [("a", -0.7), ("b", -0.7)],
        [("**", -0.1), ("A", -3.0), ("B", -3.0)],
        [("A", math.nan), ("B", -1.0)],
        [("A", -math.inf), ("B", -1.0)],
        [("A", 3.0), ("B", -1.0)],
        [("Answer", -0.2), ("AB", -1.0)],
    ],
)
def test_missing_letters_or_too_little_mass_are_unparsed_whatever_was_written(tokens):
    opinion = read(tokens)
    assert (opinion.outcome, opinion.p_second_wins) == ("unparsed", None)


def test_equal_mass_is_a_tie_and_so_is_what_the_tolerance_covers():
    assert read([("A", -0.7), ("B", -0.7)]).outcome == "tie"
    near = [("A", math.log(0.52)), ("B", math.log(0.48))]
    assert read(near).outcome == "first"
    assert read(near, tolerance=0.05).outcome == "tie"


def test_a_sure_judge_stays_between_0_and_1():
    assert 0 <= read([("A", -1e-9), ("B", -700.0)]).p_second_wins < 1e-300
    assert read([("A", -9999.0), ("B", 0.0)]).p_second_wins == 1.0


def test_one_token_is_asked_for_with_its_alternatives():
    request = asking("logprob").request()
    assert request["max_tokens"] == 1 and request["logprobs"] and request["top_logprobs"] == 20
    held = asking("logprob", structured="choice").request()
    assert held["structured_outputs"] == {"choice": ["A", "B"]}
    with pytest.raises(ConfigError, match="max_tokens"):
        asking("logprob", max_tokens=5)
    with pytest.raises(ConfigError, match="held to: none, choice"):
        asking("logprob", structured="json_schema")


def test_the_letters_are_settings():
    judge = asking("logprob", letters=["m", "M"])
    (message,) = judge.render(prompt(), "x", "y")
    assert message["content"].endswith("Answer with nothing but m or M.")
    assert judge.parse("m", [("M", -0.1), ("m", -2.5)]).outcome == "second"
    with pytest.raises(ConfigError, match="write two different"):
        asking("logprob", letters=["A", "A"])
