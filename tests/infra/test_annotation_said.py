"""What people read above the form and on a terminal."""

from infra.annotation.said import form_text, progress_line
from tests.annotation_batches import answer, batch_of, items_of


def test_names_that_people_chose_are_no_markdown_in_the_form(own_store):
    batch = batch_of(own_store, items_of(1))
    batch.append([answer(batch.items()[0], "a|b [x](http://y) <b>")])
    text = form_text(batch)
    assert "[x](" not in text and "<b>" not in text and "a&#124;b" in text


def test_the_form_links_to_the_page_where_somebody_serves_it(own_store, monkeypatch):
    batch = batch_of(own_store, items_of(1), deadline_hours=1)
    assert "`tso annotate serve weekly`" in form_text(batch)
    monkeypatch.setenv("TSO_ANNOTATE_URL", "https://label.example.org/")
    assert "(https://label.example.org/weekly/0)" in form_text(batch)


def test_the_line_says_how_much_is_wanted_and_until_when(own_store):
    batch = batch_of(own_store, items_of(4), quorum=0.75, deadline_hours=1)
    batch.append([answer(batch.items()[0])])
    line = progress_line(batch)
    assert line.startswith("1 of 4 answers (25%), wanted 75%; until 20") and line.endswith(" UTC")
    patient = batch_of(own_store, items_of(4), run="patient")
    assert progress_line(patient) == "0 of 4 answers (0%), wanted 100%"


def test_files_and_label_studio_say_how_they_are_answered(own_store):
    files = batch_of(own_store, items_of(1), front_end="files")
    assert "`tso annotate import weekly --from FILE`" in form_text(files)
    studio = {"url": "https://labels.example.org", "token_env": "T", "token_block": None}
    team = batch_of(own_store, items_of(1), front_end="label_studio", label_studio=studio)
    assert "(https://labels.example.org)" in form_text(team)
