"""What is wrong with a user's table is said with file, row, column, value and what is expected."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.rows import read_rows
from tasks.annotation import check_written
from tasks.errors import DataError
from tasks.recorded_verdicts import check_text_row, check_verdict
from tasks.sources import Row, Source


def parquet(rows):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue().to_pybytes()


GOOD = b'{"prompt": "p", "a": "x", "b": "y", "outcome": "a"}\n'
COLUMNS = {"prompt": "q", "a": "one", "b": "two", "outcome": "winner"}


def verdict(**fields):
    row = {"q": "p", "one": "x", "two": "y", "winner": "a", **fields}
    return json.dumps(row).encode() + b"\n"


MALFORMED = {
    "a file that is missing": (None, "none.csv", {}, "no file at .*none.csv"),
    "an unknown format": (b"x", "t.xlsx", {}, r"t.xlsx: unknown format '.xlsx'; known: .arrow"),
    "no row": (b"", "t.jsonl", {}, "t.jsonl has no row"),
    "a header alone": (b"prompt,a,b,outcome\n", "t.csv", {}, "t.csv has no row"),
    "a column named twice": (b"a,b,a\n1,2,3\n", "t.csv", {}, "t.csv:1: column 'a' occurs twice"),
    "a row with a value too many": (
        *(b"prompt,a,b,outcome\np,x,y,a\np,x, y,z,a\n", "t.csv", {}),
        "t.csv:3: 5 values for 4 columns",
    ),
    "an open quote": (b'prompt,a\np,"x\n', "t.csv", {}, "t.csv:2: not CSV"),
    "half a line of JSON": (GOOD + b'{"prompt": ', "t.jsonl", {}, "t.jsonl:2: not JSON"),
    "a line that is a list": (GOOD + b"[1]\n", "t.jsonl", {}, "t.jsonl:2: needs a JSON object"),
    "another encoding": ("caf\xe9".encode("latin-1"), "t.csv", {}, "t.csv is not UTF-8 text"),
    "a damaged parquet file": (parquet([{"a": 1}])[:-9], "t.parquet", {}, "t.parquet is damaged"),
    "a broken gzip file": (b"\x1f\x8bnonsense", "t.jsonl.gz", {}, "t.jsonl.gz is damaged"),
    "a column that is not there": (
        *(parquet([{"q": "p", "one": "x"}]), "t.parquet", {"columns": COLUMNS}),
        r"t.parquet has no column 'two' \(wanted as b\); it has: one, q",
    ),
    "a where on a column that is not there": (
        *(verdict(), "t.jsonl", {"columns": COLUMNS, "where": {"modle": ["m"]}}),
        "has no column 'modle'",
    ),
    "a field that nobody reads": (
        *(b'{"prompt": "p", "chosen": "x"}\n', "t.jsonl", {}),
        "t.jsonl:1, column 'chosen': unknown field 'chosen'; allowed: a, a_cell",
    ),
    "a boolean for a response": (
        *(verdict() + verdict(one=True), "t.jsonl", {"columns": COLUMNS}),
        r"t.jsonl:2, column 'one' \(a\): a is True, needs a text",
    ),
    "a response that is missing": (
        *(verdict(two=None), "t.jsonl", {"columns": COLUMNS}),
        r"column 'two' \(b\): b is None, needs a text",
    ),
    "half a character": (
        *(b'{"q": "p", "one": "\\ud83d", "two": "y", "winner": "a"}\n', "t.jsonl"),
        *({"columns": COLUMNS}, r"column 'one' \(a\): surrogates not allowed"),
    ),
    "an unknown outcome": (
        *(parquet([{"q": "p", "one": "x", "two": "y", "winner": "model_1"}]), "t.parquet"),
        {"columns": COLUMNS},
        r"t.parquet row 1, column 'winner' \(outcome\): outcome is 'model_1'; allowed: a, b, tie",
    ),
    "a value without a meaning": (
        *(verdict(winner=3), "t.jsonl"),
        {"columns": COLUMNS, "values": {"outcome": {"1": "a", "2": "b"}}},
        r"column 'winner' \(outcome\): outcome is 3, which `values` does not explain; .*: 1, 2",
    ),
    "a probability above 1": (
        *(verdict(winner=1.5), "t.jsonl", {"columns": {**COLUMNS, "p_b_wins": "winner"}}),
        "p_b_wins is 1.5; allowed: a number from 0 to 1",
    ),
    "a preference below 1": (
        *(verdict(winner="0.5"), "t.jsonl", {"columns": {**COLUMNS, "preference": "winner"}}),
        "preference is '0.5'; allowed: a number from 1 to 2",
    ),
    "an outcome against its probability": (
        *(verdict(p=0.9), "t.jsonl", {"columns": {**COLUMNS, "p_b_wins": "p"}}),
        "outcome is 'a', but the probability that b wins is 0.9",
    ),
    "two probabilities": (
        *(verdict(p=0.1, q2=1.1), "t.jsonl"),
        {"columns": {**COLUMNS, "p_b_wins": "p", "preference": "q2"}},
        "has p_b_wins and preference; map one of them",
    ),
    "a conversation that is none": (
        *(b'{"messages": [{"role": "user"}], "a": "x", "b": "y", "outcome": "a"}\n', "t.jsonl"),
        *({}, "column 'messages': a turn needs exactly role and content"),
    ),
    "an unknown order": (
        *(verdict(shown="left"), "t.jsonl", {"columns": {**COLUMNS, "first_shown": "shown"}}),
        r"column 'shown' \(first_shown\): first_shown is 'left'; allowed: a, b, unknown",
    ),
    "no prompt": (
        *(b'{"a": "x", "b": "y", "outcome": "a"}\n', "t.jsonl", {}),
        "t.jsonl:1: needs prompt, messages, source_id or prompt_id",
    ),
    "no opinion": (b'{"prompt": "p", "a": "x", "b": "y"}\n', "t.jsonl", {}, "needs outcome, p_b"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_table_of_verdicts_is_named(case, tmp_path):
    data, name, settings, said = MALFORMED[case]
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(DataError, match=said):
        for row in read_rows(Source(file=str(path), **settings)):
            check_verdict(row)


@pytest.mark.parametrize(
    ("check", "fields", "said"),
    [
        (check_text_row, {"prompt": "p", "response": "x"}, "key is missing; it is what verdicts"),
        (check_text_row, {"prompt": "p", "key": "k"}, "response is None, needs a text"),
        (check_written, {"prompt": "p", "response": "x"}, "annotator is None, needs a text"),
        (check_written, {"annotator": "ann", "response": "x"}, "needs prompt, messages"),
    ],
)
def test_rows_of_texts_and_of_written_responses_are_looked_at(check, fields, said):
    with pytest.raises(DataError, match=rf"^t:1.*{said}"):
        check(Row("t:1", fields))
