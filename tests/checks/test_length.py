import pytest

from tasks.checks.length import Length
from tasks.errors import ConfigError


def test_words_are_runs_between_white_space():
    assert Length(at_least=2, at_most=2)(" fox,  owl \n")
    assert not Length(at_most=1)("fox owl")
    assert not Length(at_least=3)("fox owl")


def test_characters_leave_out_white_space_around_the_text():
    assert Length(unit="characters", at_least=3, at_most=3)(" fox ")


def test_without_limits_everything_is_met():
    assert Length()("")


def test_limits_that_no_text_meets_are_refused():
    with pytest.raises(ConfigError, match="at_most is 1"):
        Length(at_least=2, at_most=1)
