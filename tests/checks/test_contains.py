from tasks.checks.contains import Contains


def test_a_mention_is_met_in_any_case_unless_case_counts():
    assert Contains(text="fox")("The Fox")
    assert not Contains(text="fox", ignore_case=False)("The Fox")
    assert not Contains(text="fox")("The owl")


def test_occurrences_are_counted():
    assert Contains(text="na", at_least=2)("banana")
    assert not Contains(text="na", at_least=3)("banana")
    assert not Contains(text="na", at_most=1)("banana")


def test_a_text_can_be_forbidden():
    forbidden = Contains(text="sorry", at_least=0, at_most=0)
    assert forbidden("Here it is")
    assert not forbidden("Sorry, no")
