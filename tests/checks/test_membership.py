import pytest

from tasks.checks.membership import Membership
from tasks.errors import ConfigError
from tasks.variants import load_variant

ANIMALS = Membership(words=("fox", "owl", "bear"))


def test_allowed_words_in_any_case_are_met():
    assert ANIMALS("Owl, FOX.")


def test_one_stranger_is_not_met():
    assert not ANIMALS("fox, owl, plum")


def test_no_items_are_not_met():
    assert not ANIMALS(" . ")


def test_a_repeated_item_is_met_only_if_they_need_not_be_distinct():
    assert not ANIMALS("fox, Fox")
    assert Membership(words=("fox",), distinct=False)("fox, Fox")


def test_an_empty_set_of_words_is_refused():
    with pytest.raises(ConfigError, match="words"):
        load_variant("tasks.checks", "membership", words=[])
