from tasks.checks.separator import Separator


def test_only_the_asked_separator_is_met():
    assert Separator(separator="; ")("fox; owl; bear.")
    assert not Separator(separator="; ")("fox, owl, bear.")
    assert not Separator(separator="; ")("fox; owl, bear.")


def test_items_on_lines_have_no_other_separator():
    assert Separator(separator="\n")("fox\nowl\n")
    assert not Separator(separator="\n")("fox,\nowl")


def test_spaces_belong_to_the_separator():
    assert not Separator(separator=",")("fox, owl")
    assert not Separator(separator=", ")("fox,owl")


def test_a_single_item_and_an_empty_one_are_not_met():
    assert not Separator(separator=", ")("fox.")
    assert not Separator(separator=", ")("fox, , owl")


def test_words_can_separate_too():
    assert Separator(separator=" and ")("fox and owl")
