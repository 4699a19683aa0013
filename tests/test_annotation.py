from itertools import combinations

import pytest

from tasks.annotation import written_responses
from tasks.errors import DataError
from tasks.prompts import prompt_of
from tasks.recorded_verdicts import Answered
from tasks.records import Verdict
from tasks.sources import Row
from tasks.tables import to_table
from tests.opinion_makers import response

ASKED = prompt_of(Row("f:0", {"prompt": "Name a fruit."}))
ANSWERS = {
    name: response(name, text, prompt_id=ASKED.prompt_id)
    for name, text in (("r1", "nut"), ("r2", "pear"))
}


def written(*rows):
    places = [Row(f"f:{number}", fields) for number, fields in enumerate(rows, start=1)]
    return written_responses(places, Answered([ASKED], ANSWERS))


def by_hand(**fields):
    return {"prompt": "Name a fruit.", "response": "pear", "annotator": "ann", **fields}


def test_who_writes_a_response_prefers_it_to_all_that_read_otherwise():
    made = written(by_hand())
    [own] = made.responses
    assert (own.origin, own.cell, own.finish_reason) == ("human", "people", "stop")
    [said] = made.verdicts
    assert {said.a_id, said.b_id} == {own.response_id, "r1"}
    assert (said.a_id if said.outcome == "a" else said.b_id) == own.response_id


def test_a_writer_may_name_what_is_worse():
    made = written(by_hand(response="a fig", better_than=["r2", "r2"]))
    assert [{one.a_id, one.b_id} - {"r2"} for one in made.verdicts] == [
        {made.responses[0].response_id}
    ]


def test_two_people_may_write_the_same_and_others_rounds_are_counted():
    made = written(by_hand(), by_hand(annotator="bea"), by_hand(prompt="Another prompt."))
    assert len({one.response_id for one in made.responses}) == 2
    assert made.skipped == {"responses_not_of_this_round": 1}
    assert to_table(Verdict, made.verdicts).num_rows == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"response": " "}, "f:2, column .*: response is ' ', needs a text"),
        ({"response": "\ud83d"}, "f:2, column .*: surrogates not allowed"),
        ({"response": "fig", "better_than": ["r9"]}, "f:2, column .*: better_than names 'r9'"),
        ({"text": "x"}, "f:2, column .*: unknown field 'text'"),
        ({}, "f:2: 'ann' wrote this before"),
    ],
)
def test_a_bad_response_row_is_named_with_its_fault(fields, message):
    with pytest.raises(DataError, match=message):
        written(by_hand(), by_hand(**fields))


def test_verdict_ids_are_in_order_whatever_the_ids_of_written_responses():
    made = written(*(by_hand(response=f"fruit {number}") for number in range(12)))
    assert all(one.a_id < one.b_id for one in made.verdicts)
    keys = [(one.a_id, one.b_id) for one in made.verdicts]
    assert len(set(keys)) == 24 and all(a != b for a, b in combinations(keys, 2))
