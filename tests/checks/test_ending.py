from hypothesis import given
from hypothesis import strategies as st

from tasks.checks.ending import Ending


def test_the_last_mark_counts():
    assert Ending(ending="!")("fox, owl!")
    assert not Ending(ending="!")("fox! owl.")


def test_white_space_after_it_plays_no_part():
    assert Ending(ending="the end")("This is the end \n")


@given(st.text(), st.text("abc!?.", min_size=1))
def test_an_appended_ending_is_met(text, ending):
    assert Ending(ending=ending)(text + ending)
