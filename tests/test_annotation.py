from itertools import combinations

import numpy as np
import pytest

from tasks.annotation import drawn, listed, lots, simulated_verdicts, written_responses
from tasks.errors import DataError
from tasks.prompts import prompt_of
from tasks.recorded_verdicts import Answered
from tasks.records import Verdict
from tasks.sources import Row
from tasks.tables import to_table
from tasks.variants import load_variant
from tests.opinion_makers import prompt, response

RESPONSES = {
    "r1": response("r1", "fig"),
    "r2": response("r2", "a plum"),
}
RULE = load_variant("tasks.judges", "rule")


def budgeted(comparisons, share, seed):
    seen = drawn(np.array(lots(comparisons, seed)), share)
    return [one for one, yes in zip(listed(comparisons), seen, strict=True) if yes]


def test_a_budget_is_a_share_of_all_comparisons_drawn_by_a_seed():
    comparisons = {f"p{i}": [(f"a{i}", f"b{i}"), (f"a{i}", f"c{i}")] for i in range(20)}
    picked = budgeted(comparisons, 0.25, seed=3)
    assert len(picked) == len(set(picked)) == 10
    assert picked == budgeted(dict(reversed(comparisons.items())), 0.25, seed=3)
    assert picked != budgeted(comparisons, 0.25, seed=4)
    assert budgeted(comparisons, 0.0, 0) == []
    assert len(budgeted(comparisons, 1.0, 0)) == 40


def crowd(names, number=60, **faults):
    """What simulated people say about pairs of which the response with the smaller id is right."""
    check = {"kind": "contains", "text": "fig"}
    responses = {f"r{i:02}": response(f"r{i:02}", "fig" if i % 2 else "nut") for i in range(number)}
    ids = [(f"r{i:02}", f"r{i + 1:02}") for i in range(1, number - 1, 2)]
    people = {
        name: load_variant("tasks.judges", "simulated", judge={"kind": "rule"}, **faults)
        for name in names
    }
    picked = [("p", one) for one in ids]
    return simulated_verdicts(picked, {"p": prompt(check)}, responses, people, seed=0)


def test_people_take_turns_and_judge_what_they_see():
    verdicts = crowd(["cleo", "abe", "bea"], number=14)
    assert [one.annotator for one in verdicts] == ["abe", "bea", "cleo"] * 2
    assert {one.outcome for one in verdicts} == {"a"}
    assert {one.annotator_kind for one in verdicts} == {"human"}


def test_people_go_on_taking_turns_where_they_stopped():
    whole = crowd(["cleo", "abe", "bea"], number=14)
    ids = [("p", (f"r{i:02}", f"r{i + 1:02}")) for i in range(1, 13, 2)]
    responses = {f"r{i:02}": response(f"r{i:02}", "fig" if i % 2 else "nut") for i in range(14)}
    people = {
        name: load_variant("tasks.judges", "simulated", judge={"kind": "rule"})
        for name in ("cleo", "abe", "bea")
    }
    given = ({"p": prompt({"kind": "contains", "text": "fig"})}, responses, people, 0)
    parts = simulated_verdicts(ids[:4], *given) + simulated_verdicts(ids[4:], *given, before=4)
    assert parts == whole


def test_people_see_the_responses_in_either_order():
    shown = [one.first_shown for one in crowd(["ann"], number=60)]
    assert 5 <= shown.count("a") <= 24 and set(shown) == {"a", "b"}


def test_people_with_equal_faults_err_in_ways_of_their_own():
    wrong = {}
    for name in ("ann", "bea"):
        verdicts = crowd([name], number=200, noise=0.3)
        wrong[name] = {one.a_id for one in verdicts if one.outcome == "b"}
        assert 15 <= len(wrong[name]) <= 45
    assert wrong["ann"] != wrong["bea"]


def test_a_person_without_a_name_of_its_own_works_too():
    picked = [("p", ("r1", "r2"))]
    check = {"kind": "contains", "text": "fig"}
    [said] = simulated_verdicts(picked, {"p": prompt(check)}, RESPONSES, {"ann": RULE}, 0)
    assert (said.annotator, said.outcome) == ("ann", "a")


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
