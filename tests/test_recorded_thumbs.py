"""Rows with thumbs become verdicts on one response."""

import pytest

from tasks.conversations import About
from tasks.errors import DataError
from tasks.opinions import Annotator
from tasks.recorded_thumbs import check_said, said_in
from tasks.recorded_verdicts import Answered
from tasks.records import Verdict
from tasks.sources import Row
from tasks.tables import to_table
from tests.opinion_makers import prompt, response

PROMPTS = [prompt(prompt_id="p", text="Name a fruit."), prompt(prompt_id="q", text="And a nut.")]
RESPONSES = {
    "r1": response("r1", "fig", cell="large"),
    "r2": response("r2", "plum", cell="policy"),
    "r3": response("r3", "fig", cell="other"),
}
ANSWERED = Answered(PROMPTS, RESPONSES)


def thumb(thumbs="up", **fields):
    base = {"prompt": "Name a fruit.", "response": "plum", "annotator": "ann"}
    return Row("f:1", {**base, "thumbs": thumbs, **fields})


def said(*rows, kind="human"):
    return said_in(rows, ANSWERED, Annotator(name="", kind=kind))


def test_a_thumb_is_a_score_of_one_response():
    up, down, share = (
        said(thumb(one)).verdicts[0] for one in ("up", "down", 0.75)
    )  # fmt: skip
    assert (up.a_id, up.b_id, up.outcome, up.scale) == ("r2", "", "scored", "thumbs")
    assert (up.annotator, up.annotator_kind) == ("ann", "human")
    assert [one.score for one in (up, down, share)] == [1.0, 0.0, 0.75]
    to_table(Verdict, [up])


def test_a_table_may_hold_thumbs_and_comparisons():
    row = {"prompt": "Name a fruit.", "a": "fig", "b": "plum", "outcome": "a", "annotator": "ann"}
    empty = {"thumbs": None, "response": None}
    found = said(Row("f:2", {**row, **empty}), thumb())
    assert [(one.outcome, one.b_id) for one in found.verdicts] == [("a", "r2"), ("scored", "")]


def test_a_response_is_named_by_id_by_text_or_by_text_and_cell():
    by_id = thumb(response=None, prompt=None, response_id="r3")
    ours = [said(one).verdicts[0].a_id for one in (by_id, thumb(response="fig"))]
    assert ours == ["r3", "r1"]
    cell = said(thumb(response="fig", response_cell="other"))
    assert cell.verdicts[0].a_id == "r3" and cell.counts["of_texts_of_several_cells"] == 0
    assert said(thumb(response="fig")).counts["of_texts_of_several_cells"] == 1


def test_thumbs_on_others_prompts_and_unknown_texts_are_counted():
    rows = [thumb(prompt="Name a bird."), thumb(response="nut"), thumb(response_id="zz")]
    found = said(*rows)
    assert found.verdicts == []
    assert found.counts["of_other_prompts"] == 1 and found.counts["of_unknown_responses"] == 2


def test_a_person_gives_a_response_one_thumb_and_a_judge_may_repeat_itself():
    with pytest.raises(DataError, match="'ann' gave r2 a thumb twice"):
        said(thumb(), thumb("down"))
    assert [one.replicate for one in said(thumb(), thumb("down"), kind="judge").verdicts] == [0, 1]


@pytest.mark.parametrize("value", ["Up", "yes", 2, -0.1, True])
def test_what_is_no_thumb_is_refused_with_what_is_allowed(value):
    with pytest.raises(DataError, match="allowed: up, down, or the share of thumbs up"):
        check_said(thumb(value))


def test_rows_are_checked_before_there_is_a_round():
    check_said(thumb())
    with pytest.raises(DataError, match="response is None, needs a text"):
        check_said(thumb(response=None))
    with pytest.raises(DataError, match="unknown field 'outcome'"):
        check_said(thumb(outcome="a"))
    with pytest.raises(DataError, match="annotator is missing"):
        said(thumb(annotator=None))


def test_prompts_are_found_by_the_response_that_a_thumb_names():
    about = About([thumb(prompt=None, response=None, response_id="r1")])
    assert about.response_ids == {"r1"}
