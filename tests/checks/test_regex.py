import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.checks.regex import Regex
from tasks.errors import ConfigError
from tasks.variants import load_variant


def test_search_finds_the_pattern_anywhere():
    assert Regex(pattern="[0-9]+")("room 12b")
    assert not Regex(pattern="[0-9]+")("room b")


def test_fullmatch_wants_the_whole_text_without_white_space_around():
    digits = Regex(pattern="[0-9]+", mode="fullmatch")
    assert digits(" 12\n")
    assert not digits("room 12")


def test_a_bad_pattern_is_refused_by_name():
    with pytest.raises(ConfigError, match=re.escape("'(fox'")):
        Regex(pattern="(fox")
    with pytest.raises(ConfigError, match=re.escape("'(fox'")):
        load_variant("tasks.checks", "regex", pattern="(fox")


@given(st.text(min_size=1))
def test_an_escaped_text_is_found_in_itself(text):
    assert Regex(pattern=re.escape(text))(text)
