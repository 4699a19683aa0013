import csv
import json

import pytest

from infra.annotation.files import export_batch, import_answers
from infra.annotation.revisions import new_answers
from tasks.errors import ConfigError, DataError
from tests.annotation_batches import answer, batch_of, items_of


@pytest.fixture
def batch(own_store):
    return batch_of(own_store, items_of(3))


def table(path, rows):
    """Rows as a file of the kind that its name says."""
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    return path


def exported(batch, path):
    export_batch(batch, path)
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def said(batch):
    return {(one.item_id, one.annotator): (one.outcome, one.strength) for one in batch.answers()}


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_a_batch_goes_out_and_comes_back_with_the_sides_as_they_were_shown(batch, tmp_path, suffix):
    rows = exported(batch, tmp_path / f"out{suffix}")
    assert [row["item_id"] for row in rows] == [item.item_id for item in batch.items()]
    assert [row["first"] for row in rows] == ["text of r0b", "text of r1a", "text of r2b"]
    rows[0] |= {"annotator": "ann", "outcome": "first", "strength": "much better"}
    rows[1] |= {"annotator": "ann", "outcome": "second", "tags": "clear; honest"}
    brought = import_answers(batch, table(tmp_path / f"back{suffix}", rows))
    assert (brought.new, brought.known, brought.unanswered) == (2, 0, 1)
    first, second, _ = batch.items()
    assert said(batch) == {(first.item_id, "ann"): ("b", 1.0), (second.item_id, "ann"): ("b", None)}
    [tagged] = [one for one in batch.answers() if one.tags]
    assert (tagged.tags, tagged.first_shown, tagged.front_end) == (["clear", "honest"], "a", "file")


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_the_same_table_twice_brings_nothing_new_and_a_change_is_a_revision(
    batch, tmp_path, suffix
):
    item = batch.items()[0]
    row = {"item_id": item.item_id, "annotator": "ann", "outcome": "first"}
    file = tmp_path / f"answers{suffix}"
    assert [import_answers(batch, table(file, [row])).new for _ in range(2)] == [1, 0]
    assert import_answers(batch, table(file, [row | {"outcome": "tie"}])).new == 1
    assert [(one.outcome, one.revision) for one in batch.answers()] == [("b", 0), ("tie", 1)]


def test_an_ideal_response_says_which_one_it_was_edited_from(batch, tmp_path):
    item = batch.items()[0]
    row = {"item_id": item.item_id, "annotator": "ann", "outcome": "tie"}
    row |= {"ideal": "better still", "ideal_from": "first", "duration_seconds": 4, "comment": "ok"}
    import_answers(batch, table(tmp_path / "a.jsonl", [row]))
    [one] = batch.answers()
    assert (one.ideal, one.ideal_from, one.duration_seconds) == ("better still", "r0b", 4.0)


BAD = [
    ({"outcome": "banana"}, "column 'outcome': outcome is 'banana'; allowed: first, second, tie"),
    ({"item_id": "x"}, "column 'item_id': item_id is 'x'; allowed: the ids of the 3 items"),
    ({"annotator": None}, "column 'annotator': annotator is None, needs a text"),
    ({"strength": "huge"}, "column 'strength': strength is 'huge'; allowed: much better, better"),
    ({"outcome": "tie", "strength": 1}, "the outcome tie prefers no side"),
    ({"duration_seconds": -1}, "column 'duration_seconds': duration_seconds is -1; allowed"),
    ({"ideal": "x", "ideal_from": "left"}, "column 'ideal_from': ideal_from is 'left'; allowed"),
    ({"ideal_from": "first"}, "ideal_from names a response, but there is no ideal response"),
    ({"first": "text of r1a"}, "rows or columns were mixed up; export the batch again"),
    ({"tags": [1]}, "column 'tags': tags is [1]; it needs a list of texts"),
    ({"verdict": "a"}, "unknown field 'verdict'; allowed: annotator"),
    ({"annotator": "ann"}, "'ann' answered item"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=[str(one) for one, _ in BAD])
def test_a_bad_row_is_named_with_line_column_value_and_what_is_allowed(
    batch, tmp_path, change, message
):
    item = batch.items()[0]
    good = {"item_id": item.item_id, "annotator": "ann", "outcome": "first"}
    file = table(tmp_path / "a.jsonl", [good, good | {"annotator": "bea"} | change])
    with pytest.raises(DataError) as caught:
        import_answers(batch, file)
    assert f"{file}:2" in str(caught.value) and message in str(caught.value)
    assert "Nothing was imported" in str(caught.value) and batch.answers() == []


def test_all_problems_of_a_table_are_listed_up_to_twenty(batch, tmp_path):
    bad = {"item_id": "x", "annotator": "ann", "outcome": "first"}
    with pytest.raises(DataError) as caught:
        import_answers(batch, table(tmp_path / "a.jsonl", [bad] * 30))
    assert str(caught.value).count("item_id is 'x'") == 20 and "the first 20" in str(caught.value)


def test_other_names_of_files_are_refused(batch, tmp_path):
    with pytest.raises(ConfigError, match=r"has to end in \.jsonl or \.csv"):
        export_batch(batch, tmp_path / "out.xlsx")


def test_no_cell_of_an_export_is_a_formula_and_it_comes_back_all_the_same(own_store, tmp_path):
    batch = batch_of(own_store, items_of(1), text="=cmd|' /C calc'!A0 of {}")
    [row] = exported(batch, tmp_path / "out.csv")
    assert row["first"].startswith("'=cmd") and row["second"].startswith("'=cmd")
    back = table(tmp_path / "b.csv", [row | {"annotator": "ann", "outcome": "first"}])
    assert import_answers(batch, back).new == 1


def test_line_ends_that_a_spreadsheet_changed_are_no_other_text(own_store, tmp_path):
    batch = batch_of(own_store, items_of(1), text="one\ntwo of {}\n")
    [row] = exported(batch, tmp_path / "out.csv")
    row |= {"first": row["first"].replace("\n", "\r\n"), "annotator": "ann", "outcome": "second"}
    assert import_answers(batch, table(tmp_path / "b.csv", [row])).new == 1


def test_what_comes_again_and_again_does_not_undo_what_was_said_elsewhere(batch):
    item = batch.items()[0]
    polled = answer(item, front_end="label_studio")
    later = answer(item, outcome="b", revision=1)
    assert new_answers([polled], [polled, later], among="label_studio") == []
    assert [one.revision for one in new_answers([polled], [polled, later])] == [2]
    seconds = answer(item, front_end="label_studio", duration_seconds=9.0)
    assert new_answers([seconds], [polled], among="label_studio") == []
