"""`tso show`: rows of any stage, texts put in for ids, nothing sent to the terminal by a model."""

import csv
import json
import sys

import pytest
from typer.testing import CliRunner

from flows.cli.app import app, run_app
from tests.made_runs import ESCAPE, PROMPTS, made_run
from tests.small_run import small_preset

LOUD = ("\x1b[31m", "\x9b", "\u202e")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shown")
    return made_run(folder), str(small_preset(folder))


def shown(world, *arguments, preset=True):
    """What the command prints; rows and columns as wide as they want."""
    given = ["show", *map(str, arguments), *(["--preset", world[1]] if preset else [])]
    done = CliRunner().invoke(app, given, catch_exceptions=False, env={"COLUMNS": "240"})
    assert done.exit_code == 0
    return done.output


def test_without_a_role_the_stages_of_each_round_are_listed(world):
    text = shown(world, "made")
    for word in ("collect-train", "sample-train-large", "pair", "train", "pairs 2"):
        assert word in text
    assert "dropped_tie" not in text, "zeros are left out"
    assert shown(world, "made", 0) == text


@pytest.mark.parametrize("form", ["table", "text", "csv", "json"])
def test_no_form_sends_a_terminal_what_a_model_wrote(world, form):
    text = shown(world, "made", 0, "pair", "--as", form)
    assert "answer 0" in text and not [sign for sign in LOUD if sign in text]


def test_json_keeps_every_character_of_a_text_and_every_column(world):
    rows = json.loads(shown(world, "made", 0, "pair", "--as", "json"))
    assert [row["chosen"] for row in rows] == [f"answer 0 {ESCAPE}", f"answer 3 {ESCAPE}"]
    assert [row["rejected_id"] for row in rows] == ["r1", "r2"]
    assert rows[0]["prompt"] == "Name a [bold]."


def test_csv_has_a_header_and_a_line_for_each_row(world):
    text = shown(world, "made", 0, "train", "--as", "csv", "--columns", "step,loss")
    assert list(csv.reader(text.splitlines())) == [["step", "loss"], ["1", "0.6931"], ["2", "0.5"]]


def test_pairs_stand_side_by_side_in_text(world):
    lines = shown(world, "made", 0, "pair", "--as", "text", "--rows", 1).splitlines()
    assert "table rows: 1 of 2 rows" in lines
    [both] = [line for line in lines if "answer 0" in line]
    assert "answer 1" in both and "Name a [bold]." in lines


def test_responses_come_with_their_prompts_as_they_were_written(world):
    text = shown(world, "made", 0, "sample-train-large")
    assert text.count("Name a [bold].") == 2 and "answer 3" in text


def test_people_see_facts_and_counts_and_programs_only_rows(world):
    assert "facts: ended epochs, sha256 w" in shown(world, "made", 0, "train")
    assert "facts" not in shown(world, "made", 0, "train", "--as", "csv")


def test_people_are_told_what_the_numbers_of_a_training_say(tmp_path):
    flat = [
        {"step": step, "loss": 0.69, "margin": 0.01 * (step % 2), "accuracy": 0.5, "other": []}
        for step in range(1, 13)
    ]
    world = made_run(tmp_path, steps=flat), str(small_preset(tmp_path))
    words = " ".join(shown(world, "made", 0, "train").split())
    assert "act: Nothing is learnt: the margin does not rise" in words
    assert "Next step: Raise training.learning_rate" in words
    assert "Nothing is learnt" not in shown(world, "made", 0, "train", "--as", "csv")


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (["cell=large"], 4),
        (["sample_index=1"], 2),
        (["cell=large", "response_id=r2"], 1),
        (["cell=none"], 0),
    ],
)
def test_only_rows_where_all_conditions_hold_are_shown(world, where, found):
    options = [part for one in where for part in ("--where", one)]
    rows = json.loads(shown(world, "made", 0, "sample-train-large", "--as", "json", *options))
    assert len(rows) == found


def test_a_list_holds_what_is_in_it(world):
    options = ("--where", "tags=b", "--columns", "prompt_id", "--as", "json")
    rows = json.loads(shown(world, "made", 0, "collect-train", *options))
    assert rows == [{"prompt_id": PROMPTS[1].prompt_id}]


def test_a_stage_is_shown_by_its_address_alone(world):
    uri = world[0].read_round(0, "stages/train.json")["uri"]
    assert len(json.loads(shown(world, uri, "--as", "json", preset=False))) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("made", "0", "pairs"), "round 0 of 'made' has no 'pairs'; it has: collect-train,"),
        (("made", "7"), "run 'made' has no round 7; it has: 0"),
        (("nobody",), "no round of run 'nobody' is begun"),
        (
            ("made", "0", "pair", "--table", "prior"),
            "has no tables 'prior'; it has: held_out",
        ),
        (("made", "0", "pair", "--where", "x=1"), "--where: no column 'x'; there are: pair_id,"),
        (("made", "0", "pair", "--where", "x"), "--where 'x': write column=value"),
        (("made", "0", "pair", "--columns", "x"), "--columns: no column 'x'"),
        (("made", "0", "pair", "--as", "xml"), "--as 'xml': use one of table, text, json, csv"),
        (("made", "0", "pair", "--rows", "-1"), "--rows is -1"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(world, arguments, said, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tso", "show", *arguments, "--preset", world[1]])
    with pytest.raises(SystemExit) as ended:
        run_app()
    error = capsys.readouterr().err
    assert ended.value.code == 2 and said in error and "Traceback" not in error


def test_a_run_without_a_preset_is_asked_for_one(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tso", "show", "made"])
    with pytest.raises(SystemExit) as ended:
        run_app()
    assert ended.value.code == 2 and "say --preset NAME" in capsys.readouterr().err
