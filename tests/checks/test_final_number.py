import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.checks.final_number import FinalNumber
from tasks.errors import ConfigError


@pytest.mark.parametrize(
    "text",
    [
        "#### 1024",
        "#### 1,024",
        "5 + 3 is 8, so it costs $1,024.",
        "1024.00",
        "\\boxed{1024}",
        "The answer is **1024**!",
        "2048-1024",
    ],
)
def test_the_ways_to_write_a_number_are_equal(text):
    assert FinalNumber(expected="1024")(text)


def test_only_the_last_number_counts():
    assert not FinalNumber(expected="18")("18 eggs, 9 left")
    assert FinalNumber(expected="3")("1,2,3")


def test_signs_and_decimals_are_part_of_the_number():
    assert FinalNumber(expected="-2.5")("so x = -2.50.")
    assert FinalNumber(expected="-5")("a loss of -$5")
    assert not FinalNumber(expected="2.5")("so x = -2.5")
    assert FinalNumber(expected=".5")("0.5")


def test_within_the_tolerance_is_equal():
    assert FinalNumber(expected="3.14", tolerance=0.01)("about 3.15")
    assert not FinalNumber(expected="3.14", tolerance=0.01)("about 3.16")


def test_a_text_without_numbers_is_not_met():
    assert not FinalNumber(expected="18")("I do not know")


def test_an_expected_text_is_refused():
    with pytest.raises(ConfigError, match=re.escape("'many'")):
        FinalNumber(expected="many")


@given(st.integers(-(10**12), 10**12))
def test_thousands_may_have_commas(number):
    assert FinalNumber(expected=str(number))(f"#### {number:,}")
    assert FinalNumber(expected=f"{number:,}")(f"The answer is {number}.")
