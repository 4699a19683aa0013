from dataclasses import replace

import pytest

from tasks.correction import CorrectionSettings, correct
from tasks.errors import DataError
from tasks.opinions import Annotator
from tasks.recorded_verdicts import Answered, joined, texts_of
from tasks.sources import Row
from tests.opinion_makers import candidate, prompt, response

PROMPTS = [prompt(prompt_id="p", text="Name a fruit."), prompt(prompt_id="q", text="And a nut.")]
RESPONSES = {
    "r1": response("r1", "fig", cell="large"),
    "r2": response("r2", "plum", cell="policy"),
    "r3": response("r3", "fig", cell="other"),
    "q1": response("q1", "fig", prompt_id="q"),
}
ANSWERED = Answered(PROMPTS, RESPONSES)
JUDGE = Annotator(name="main", kind="judge", version="v")
PERSON = Annotator(name="", kind="human")


def row(**fields):
    """A person's verdict by ids."""
    base = {"a_id": "r1", "b_id": "r2", "annotator": "ann", "outcome": "a"}
    return Row("f:1", {**base, **fields})


def by_text(a="fig", b="plum", **fields):
    """A judge's verdict by texts."""
    return Row("f:1", {"prompt": "Name a fruit.", "a": a, "b": b, "outcome": "a", **fields})


def people_say(*rows):
    return joined(rows, ANSWERED, PERSON)


def judge_says(*rows, texts=None):
    return joined(rows, ANSWERED, JUDGE, texts)


def test_a_row_becomes_a_verdict():
    fields = {"strength": 0.5, "first_shown": "b", "prompt_id": "p"}
    [said], counts = people_say(row(**fields))
    assert (said.a_id, said.b_id, said.outcome, said.first_shown) == ("r1", "r2", "a", "b")
    assert (said.strength, said.annotator_kind, said.prompt_id) == (0.5, "human", "p")
    assert set(counts.values()) == {0}


@pytest.mark.parametrize(
    ("outcome", "expected"), [("a", "b"), ("b", "a"), ("tie", "tie"), ("both_bad", "both_bad")]
)
def test_a_row_in_the_other_order_says_the_same(outcome, expected):
    [said], _ = people_say(row(a_id="r2", b_id="r1", outcome=outcome, first_shown="a"))
    assert (said.a_id, said.outcome, said.first_shown) == ("r1", expected, "b")


def test_a_verdict_is_joined_to_the_text_that_was_judged():
    [said], _ = judge_says(by_text("plum", "fig", first_shown="b", outcome="a"))
    assert (said.a_id, said.b_id, said.outcome, said.first_shown) == ("r1", "r2", "b", "a")
    assert (said.annotator, said.annotator_kind, said.annotator_version) == ("main", "judge", "v")


@pytest.mark.parametrize(("cell", "joined_to"), [("other", "r3"), ("large", "r1"), ("none", "r1")])
def test_of_equal_texts_the_named_cells_is_meant(cell, joined_to):
    [said], _ = judge_says(by_text(a_cell=cell))
    assert {said.a_id, said.b_id} == {joined_to, "r2"}


def test_a_cells_name_never_stands_for_its_text():
    """The file says `policy` answered with a pear; nobody in the matrix did."""
    said, counts = judge_says(by_text(), by_text("pear", a_cell="policy"))
    assert len(said) == 1
    assert counts["of_unknown_responses"] == 1


def test_keys_of_a_table_of_texts_lead_to_the_text():
    rows = [
        Row("t:1", {"prompt": "Name a fruit.", "key": "m1@judged", "response": "fig"}),
        Row("t:2", {"prompt": "Name a fruit.", "key": "m2", "response": "plum"}),
        Row("t:3", {"prompt": "Not asked.", "key": "m2", "response": "nut"}),
    ]
    texts = texts_of(rows, ANSWERED)
    assert texts == {("p", "m1@judged"): "fig", ("p", "m2"): "plum"}
    [said], _ = judge_says(by_text("m1@judged", "m2"), texts=texts)
    assert (said.a_id, said.b_id) == ("r1", "r2")
    with pytest.raises(DataError, match="t:4, column 'key': 'm2' has two texts"):
        texts_of([*rows, Row("t:4", {**rows[1].fields, "response": "pear"})], ANSWERED)


@pytest.mark.parametrize(
    ("fields", "outcome", "p"),
    [
        ({"p_b_wins": 0.25}, "a", 0.25),
        ({"p_b_wins": "0.75"}, "b", 0.75),
        ({"p_b_wins": 0.5}, "tie", 0.5),
        ({"preference": 1}, "a", 0.0),
        ({"preference": 1.75}, "b", 0.75),
        ({"preference": None}, "unparsed", None),
        ({"preference": float("nan")}, "unparsed", None),
        ({"outcome": "tie", "p_b_wins": 0.75}, "tie", 0.75),
    ],
)
def test_probabilities_and_preferences_are_outcomes(fields, outcome, p):
    kept = {name: value for name, value in by_text().fields.items() if name != "outcome"}
    [said], _ = judge_says(Row("f:1", {**kept, **fields}))
    assert (said.outcome, said.p_b_wins) == (outcome, p)


def test_rows_about_other_prompts_and_unknown_texts_are_counted():
    other = Row("f:2", {**by_text().fields, "prompt": "Never asked."})
    said, counts = judge_says(by_text(), other, by_text("pear"), row(a_id="r9"))
    assert len(said) == 1
    assert counts == {
        "of_other_prompts": 2,
        "of_unknown_responses": 1,
        "of_a_response_with_itself": 0,
        "of_texts_of_several_cells": 1,
    }


def test_verdicts_of_which_none_fits_are_an_error():
    with pytest.raises(DataError, match="none of the 2 verdicts on this round's prompts"):
        judge_says(by_text("pear"), by_text("lime"))


def test_a_response_compared_with_itself_is_kept_but_prefers_nothing():
    [said], counts = judge_says(by_text("plum", "plum", outcome="tie"))
    assert (said.a_id, said.b_id) == ("r2", "r2")
    assert counts["of_a_response_with_itself"] == 1
    assert correct([said], [candidate("r2")], CorrectionSettings()) == []


def test_a_judge_may_repeat_itself_and_a_person_may_not():
    again = judge_says(by_text(), by_text(), by_text(first_shown="a")).verdicts
    assert [(one.replicate, one.first_shown) for one in again] == [
        (0, "unknown"),
        (1, "unknown"),
        (0, "a"),
    ]
    with pytest.raises(DataError, match="'ann' judged r1 and r2 twice"):
        people_say(row(), row(a_id="r2", b_id="r1", first_shown="a"))
    assert len(people_say(row(), row(annotator="bea")).verdicts) == 2


def test_equal_texts_of_two_cells_are_two_responses():
    """A tie between two cells that wrote the same is no comparison of one with itself."""
    [said], counts = judge_says(by_text("fig", "fig", outcome="tie"))
    assert (said.a_id, said.b_id) == ("r1", "r3")
    assert (counts["of_a_response_with_itself"], counts["of_texts_of_several_cells"]) == (0, 1)
    [itself], _ = judge_says(by_text("fig", "fig", outcome="tie", a_cell="other", b_cell="other"))
    assert (itself.a_id, itself.b_id) == ("r3", "r3")


def test_a_source_id_belongs_to_its_source():
    asked = replace(prompt(prompt_id="s", text="One."), source="x", source_id="7")
    answers = {one: response(one, one, prompt_id="s") for one in ("y1", "y2")}
    fields = {"source_id": 7.0, "a": "y1", "b": "y2", "outcome": "a"}

    def found(**more):
        rows = [Row("f:1", {**fields, **more})]
        return joined(rows, Answered([asked], answers), JUDGE).counts["of_other_prompts"]

    assert [found(source="x"), found(), found(source="z")] == [0, 1, 1]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"judge": "x"}, "unknown field 'judge'"),
        ({"annotator": ""}, "annotator is missing"),
        ({"a_id": None}, "a_id is None, needs a text"),
        ({"b_id": ["r2"]}, "b_id is .* needs a text"),
        ({"b_id": "q1"}, "r1 and q1 answer two prompts"),
        ({"prompt_id": "q"}, "prompt_id is 'q', but the responses answer 'p'"),
        ({"outcome": "first"}, "outcome is 'first'; allowed: a, b, tie, both_bad, skip"),
        ({"first_shown": "left"}, "first_shown is 'left'; allowed: a, b, unknown"),
        ({"strength": 3}, "strength is 3; allowed: a number from 0 to 1"),
        ({"p_b_wins": True}, "p_b_wins is True; allowed: a number from 0 to 1"),
    ],
)
def test_a_bad_verdict_row_is_named_with_its_fault(fields, message):
    with pytest.raises(DataError, match=f"f:1.*: {message}"):
        people_say(row(**fields))
