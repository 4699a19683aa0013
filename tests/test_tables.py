from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import DataError
from tasks.records import Preference, Prompt, ReferenceScore, Response, Verdict
from tasks.tables import (
    KEYS,
    check,
    check_known,
    concat,
    content,
    counted,
    from_table,
    grouped,
    schema,
    stable_columns,
    to_table,
)
from tests.opinion_makers import preference, prompt, response, verdict

PROMPTS = [prompt({"kind": "length"}, prompt_id=name, tags=["t"]) for name in "pq"]


def score(response_id="r", logp=-1.0, token_logps=(-0.5, -0.5)):
    tokens = None if token_logps is None else list(token_logps)
    return ReferenceScore(
        response_id=response_id, reference="ref", logp=logp, num_tokens=2, token_logps=tokens
    )


@pytest.mark.parametrize(
    ("record", "rows"),
    [
        (Prompt, PROMPTS),
        (Response, [replace(response("r", "ä\n"), token_ids=[1, 2]), response("s", "")]),
        (Verdict, [verdict("r1", "r2", "a", p=0.25), verdict("r1", "r3", "tie")]),
        (Preference, [preference("r1", "r2"), preference("r1", "r3", "dropped")]),
        (ReferenceScore, [score(), score("s", token_logps=None)]),
    ],
)
def test_records_come_back_as_they_went_in(record, rows):
    table = to_table(record, rows)
    assert table.schema.names == schema(record).names
    assert list(from_table(record, table)) == rows


@pytest.mark.parametrize("record", KEYS)
def test_an_empty_table_keeps_its_schema(record):
    table = to_table(record, [])
    assert table.schema.equals(schema(record))
    assert concat(record, []).schema.equals(schema(record))
    assert list(from_table(record, table)) == []


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (replace(response("r", "x"), text=None), "Response.text has no value in row 0"),
        (replace(response("r", "x"), sample_index="first"), "do not fit their schema"),
        (
            replace(response("r", "x"), token_ids=[1, None]),
            r"token_ids\[\] has no value in entry 1",
        ),
    ],
)
def test_a_wrong_or_missing_value_is_named(row, message):
    with pytest.raises(DataError, match=message):
        to_table(Response, [row])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_nan_and_infinity_are_refused_inside_lists_too(bad):
    with pytest.raises(DataError, match=r"ReferenceScore\.logp is .* in row 1 \(of 2\)"):
        to_table(ReferenceScore, [score("a"), score("b", logp=bad)])
    with pytest.raises(DataError, match=r"token_logps\[\] is .* in row 3 \(of 4\)"):
        to_table(ReferenceScore, [score("a"), score("b", token_logps=[-1.0, bad])])


def test_a_turn_without_content_is_refused():
    with pytest.raises(DataError, match=r"messages\[\]\.content has no value"):
        to_table(Prompt, [replace(PROMPTS[0], messages=[{"role": "user"}])])


def test_a_key_that_occurs_twice_is_shown():
    with pytest.raises(DataError, match=r"rows 0 and 2 share the key \{'prompt_id': 'p'\}"):
        to_table(Prompt, [*PROMPTS, PROMPTS[0]])


def test_columns_must_be_exactly_the_fields():
    table = to_table(Prompt, PROMPTS)
    with pytest.raises(DataError, match="has columns"):
        check(Prompt, table.drop_columns(["tags"]))
    with pytest.raises(DataError, match="has columns"):
        check(Prompt, table.append_column("more", pa.array([1, 2])))
    with pytest.raises(DataError, match=r"Prompt\.split has type int64, needs string"):
        check(Prompt, table.set_column(4, "split", pa.array([1, 2])))


def test_content_ignores_row_order_and_volatile_fields():
    rows = [verdict("r1", "r2", "a"), verdict("r1", "r3", "b")]
    paid = [replace(row, cost_usd=0.1, session="s", duration_seconds=2.0) for row in rows]
    digests = {content(Verdict, to_table(Verdict, some)) for some in (rows, rows[::-1], paid)}
    assert len(digests) == 1
    other = [rows[0], replace(rows[1], outcome="tie")]
    assert content(Verdict, to_table(Verdict, other)) not in digests
    assert {"cost_usd", "session", "duration_seconds"}.isdisjoint(stable_columns(Verdict))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(st.lists(texts, unique=True, max_size=6), st.randoms(use_true_random=False))
def test_content_is_a_function_of_the_set_of_rows(ids, shuffler):
    rows = [response(one, one[::-1]) for one in ids]
    shuffled = shuffler.sample(rows, len(rows))
    assert content(Response, to_table(Response, rows)) == content(
        Response, to_table(Response, shuffled)
    )


def test_an_id_that_is_not_known_is_counted_and_shown():
    table = to_table(Response, [response("r1", "x", prompt_id="p"), response("r2", "x")])
    check_known(table, "prompt_id", ["p"], "prompts")
    with pytest.raises(
        DataError, match="2 rows have a prompt_id that is not in prompts, first 'p'"
    ):
        check_known(table, "prompt_id", [], "prompts")


def test_parts_are_joined_in_order():
    parts = [to_table(Prompt, [one]) for one in PROMPTS]
    assert list(from_table(Prompt, concat(Prompt, parts))) == PROMPTS


def test_rows_are_grouped_in_order_of_appearance_and_reasons_counted_by_name():
    rows = [
        response("1", "x", prompt_id="q"),
        response("2", "x"),
        response("3", "x", prompt_id="q"),
    ]
    groups = grouped(rows)
    assert {key: [row.response_id for row in some] for key, some in groups.items()} == {
        "q": ["1", "3"],
        "p": ["2"],
    }
    assert list(counted(["tie", "cut", "tie"]).items()) == [("cut", 1), ("tie", 2)]
