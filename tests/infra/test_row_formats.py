"""Tables of every format give the same rows."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict

from infra.rows import file_digest, read_rows
from tasks.errors import DataError
from tasks.sources import Source

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


def rows_of(folder, text, **settings):
    path = folder / "t.csv"
    path.write_text(text, encoding="utf-8")
    return [row.fields for row in read_rows(Source(file=str(path), **settings))]


def test_a_blank_cell_of_a_csv_is_nothing_and_a_blank_line_no_row(tmp_path):
    meaning = {"columns": {"outcome": "w"}, "values": {"outcome": {"null": "tie", "a": "a"}}}
    assert rows_of(tmp_path, "w,x\na,1\n\n,2\n", **meaning) == [
        {"outcome": "a"},
        {"outcome": "tie"},
    ]
    assert rows_of(tmp_path, "prompt,split\nx,\n") == [{"prompt": "x", "split": None}]


def test_a_csv_may_hold_long_texts_and_numbers_as_spreadsheets_write_them(tmp_path):
    [row] = rows_of(tmp_path, f"t,n,b\n{'x' * 200_000},1.0,True\n", where={"n": [1], "b": [True]})
    assert len(row["t"]) == 200_000


def test_braces_in_fill_are_written_twice(tmp_path):
    fill = {"checks": [{"kind": "regex", "pattern": "{a}{{3}}"}]}
    [row] = rows_of(tmp_path, "a\nx\n", columns={"prompt": "a"}, fill=fill)
    assert row["checks"][0]["pattern"] == "x{3}"
