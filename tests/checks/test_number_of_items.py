from hypothesis import given
from hypothesis import strategies as st

from tasks.checks.number_of_items import NumberOfItems

WORD = st.text("abcxyz", min_size=1, max_size=5)


def test_items_count_whatever_separates_them():
    three = NumberOfItems(count=3)
    assert three("fox, owl, bear.")
    assert three("fox; owl; bear!")
    assert three("fox\nowl\nbear?")
    assert three("- fox\n- owl\n- bear")
    assert three("1. fox\n2. owl\n3. bear")


def test_one_more_or_less_is_not_met():
    assert not NumberOfItems(count=3)("fox, owl")
    assert not NumberOfItems(count=3)("fox, owl, bear, cat")


def test_empty_items_do_not_count():
    assert NumberOfItems(count=2)("fox,, owl, ")
    assert NumberOfItems(count=0)(" . ")


@given(st.lists(WORD, max_size=8), st.sampled_from([", ", "; ", "\n", "|"]))
def test_a_joined_list_has_as_many_items_as_were_joined(words, separator):
    assert NumberOfItems(count=len(words))(separator.join(words))
