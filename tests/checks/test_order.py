from hypothesis import given
from hypothesis import strategies as st

from tasks.checks.order import Order

UP, DOWN = Order(direction="ascending"), Order(direction="descending")


def test_ascending_is_from_a_to_z():
    assert UP("bear, fox, owl.")
    assert not UP("fox, bear, owl.")


def test_descending_is_from_z_to_a():
    assert DOWN("owl\nfox\nbear")
    assert not DOWN("bear\nfox\nowl")


def test_case_plays_no_part():
    assert UP("apple, Banana, cherry")


def test_no_items_are_in_no_order():
    assert not UP("")


@given(st.lists(st.text("abcXYZ", min_size=1), min_size=1))
def test_what_is_sorted_is_in_order(words):
    ordered = sorted(words, key=str.casefold)
    assert UP(", ".join(ordered))
    assert DOWN(", ".join(reversed(ordered)))
