"""Tables of every format give the same rows; what is wrong with one is said with its place."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict

from infra.rows import file_digest, read_rows
from tasks.annotation import check_written
from tasks.errors import DataError
from tasks.recorded_verdicts import check_text_row, check_verdict
from tasks.sources import Row, Source

ROWS = [{"q": "One?", "n": 1, "model": "m"}, {"q": "Two, or\nthree?", "n": 2, "model": "k"}]
CSV = 'q,n,model\nOne?,1,m\n"Two, or\nthree?",2,k\n'


def as_json_lines(folder):
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


def as_zipped_json_lines(folder):
    path = folder / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(as_json_lines(folder).read_bytes()))
    return path


def as_csv(folder):
    path = folder / "rows.csv"
    path.write_text("\ufeff" + CSV, encoding="utf-8")  # a spreadsheet's mark
    return path


def as_tsv(folder):
    path = folder / "rows.tsv"
    path.write_text('q\tn\tmodel\nOne?\t1\tm\n"Two, or\nthree?"\t2\tk\n', encoding="utf-8")
    return path


def as_parquet(folder):
    path = folder / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), path)
    return path


def as_saved_dataset(folder):
    path = folder / "saved"
    Dataset.from_list(ROWS).save_to_disk(path)
    return path


def as_shuffled_dataset(folder):
    """Saved through an index: `datasets` shuffles by row numbers, not by moving rows."""
    path = folder / "shuffled"
    Dataset.from_list(ROWS[::-1]).select([1, 0]).save_to_disk(path)
    return path


def as_split_of_saved_datasets(folder):
    saved = DatasetDict({"train": Dataset.from_list(ROWS), "test": Dataset.from_list(ROWS[:1])})
    saved.save_to_disk(folder / "several")
    return folder / "several" / "train"


def as_folder_of_parquet(folder):
    inner = folder / "parts"
    inner.mkdir()
    for number, row in enumerate(ROWS):
        pq.write_table(pa.Table.from_pylist([row]), inner / f"part-{number}.parquet")
    return inner


FORMATS = [
    as_json_lines,
    as_zipped_json_lines,
    as_csv,
    as_tsv,
    as_parquet,
    as_saved_dataset,
    as_shuffled_dataset,
    as_split_of_saved_datasets,
    as_folder_of_parquet,
]


@pytest.mark.parametrize("write", FORMATS)
def test_every_format_gives_the_same_rows(write, tmp_path):
    source = Source(
        file=str(write(tmp_path)),
        columns={"prompt": "q", "source_id": "n"},
        fill={"split": "dev", "checks": [{"kind": "contains", "text": "{n}"}]},
    )
    rows = list(read_rows(source))
    assert [row.fields["prompt"] for row in rows] == ["One?", "Two, or\nthree?"]
    assert [str(row.fields["source_id"]) for row in rows] == ["1", "2"]
    assert [row.fields["checks"][0]["text"] for row in rows] == ["1", "2"]
    assert {row.fields["split"] for row in rows} == {"dev"}


@pytest.mark.parametrize("write", FORMATS)
def test_where_lets_through_the_rows_with_its_values(write, tmp_path):
    path = str(write(tmp_path))

    def kept(**where):
        rows = read_rows(Source(file=path, columns={"prompt": "q"}, where=where))
        return [row.fields["prompt"] for row in rows]

    assert kept(model=["k"]) == ["Two, or\nthree?"]
    assert kept(n=[1]) == ["One?"]
    assert len(kept(model=["k", "m"], n=[1, 2])) == 2
    with pytest.raises(DataError, match="has no row with"):
        kept(model=["x"])


def test_values_translate_what_a_table_writes(tmp_path):
    path = tmp_path / "v.jsonl"
    rows = [{"w": 1}, {"w": 2.0}, {"w": True}, {"w": None}, {}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    meaning = {"1": "a", "2": "b", "true": "tie", "null": "unparsed"}
    source = Source(file=str(path), columns={"outcome": "w"}, values={"outcome": meaning})
    found = [row.fields["outcome"] for row in read_rows(source)]
    assert found == ["a", "b", "tie", "unparsed", "unparsed"]


def test_a_tables_digest_follows_its_content_not_its_name(tmp_path):
    first = as_csv(tmp_path)
    other = tmp_path / "other.csv"
    other.write_bytes(first.read_bytes())
    assert file_digest(Source(file=str(first))) == file_digest(Source(file=str(other)))
    other.write_text(CSV + "x,3,m\n", encoding="utf-8")
    assert file_digest(Source(file=str(first))) != file_digest(Source(file=str(other)))


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


def test_a_folder_with_several_splits_or_without_a_table_is_refused(tmp_path):
    as_split_of_saved_datasets(tmp_path)
    with pytest.raises(DataError, match=r"holds several splits; name one of them: .*several/train"):
        list(read_rows(Source(file=str(tmp_path / "several"))))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="empty holds no table"):
        list(read_rows(Source(file=str(empty))))
    as_csv(empty), as_json_lines(empty)
    with pytest.raises(DataError, match="holds tables of several formats; name one file"):
        list(read_rows(Source(file=str(empty))))


@pytest.mark.parametrize(
    ("check", "fields", "said"),
    [
        (check_text_row, {"prompt": "p", "key": 3, "response": "x"}, "key is 3, needs a text"),
        (check_text_row, {"prompt": "p", "key": "k"}, "response is None, needs a text"),
        (check_written, {"prompt": "p", "response": "x"}, "annotator is None, needs a text"),
        (check_written, {"annotator": "ann", "response": "x"}, "needs prompt, messages"),
    ],
)
def test_rows_of_texts_and_of_written_responses_are_looked_at(check, fields, said):
    with pytest.raises(DataError, match=rf"^t:1.*{said}"):
        check(Row("t:1", fields))
