"""What a stack keeps in its folder: private files, settings, logs."""

import json
import stat
from pathlib import Path

import pytest
from stack_parts import part, stack_in

from infra.stack.launch import variables
from infra.stack.logs import followed, log_tail
from infra.stack.settings import (
    chosen_settings,
    environment_text,
    load_settings,
    password,
    save_settings,
    stack_folder,
    write_private,
)
from tasks.errors import ConfigError


def test_a_password_is_made_once_and_only_its_owner_can_read_it(tmp_path):
    first = password(tmp_path / "secret")
    assert password(tmp_path / "secret") == first and len(first) >= 32
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_a_private_file_that_was_open_to_all_is_closed(tmp_path):
    path = tmp_path / "keys"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", 0o600)


def test_variables_are_read_back_as_a_shell_reads_them():
    written = {"TSO_STORE": "s3://tso/store", "KEY": 'it\'s a "secret" $HOME #1'}
    assert variables(environment_text(written)) == written
    assert variables("# a comment\nexport A='b c'\n\nD=e=f # not this\n") == {
        "A": "b c",
        "D": "e=f",
    }


def test_settings_are_kept_and_changed_one_by_one(tmp_path):
    (tmp_path / "prefect.yaml").touch()
    first = chosen_settings(tmp_path / "stack", tmp_path, {"port": 5000, "store": None, "gpus": 2})
    save_settings(first)
    again = chosen_settings(tmp_path / "stack", tmp_path, {"port": None, "store": "folder"})
    assert (again.port, again.store, again.gpus) == (5000, "folder", 2)
    assert load_settings(tmp_path / "stack") == first and first.store == "s3"
    assert again.api == "http://127.0.0.1:5000/api" and again.port_of("reports") == 5002


def test_a_folder_without_a_stack_or_a_project_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match="`tso stack up` makes one"):
        load_settings(tmp_path)
    with pytest.raises(ConfigError, match=r"no prefect\.yaml in"):
        chosen_settings(tmp_path, tmp_path, {})
    with pytest.raises(ConfigError, match="--folder"):
        stack_folder(f"/tmp/{'long' * 30}")


def test_the_folder_is_named_by_option_variable_or_default(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert stack_folder(None) == tmp_path / "work/stack"
    monkeypatch.setenv("TSO_STACK", "/srv/stack")
    assert stack_folder(None) == Path("/srv/stack")
    assert stack_folder("/srv/other") == Path("/srv/other")


def test_a_part_changes_with_its_private_files_and_not_otherwise(tmp_path):
    settings = stack_in(tmp_path)
    keys = tmp_path / "worker.env"
    write_private(keys, "KEY=one\n")
    parts = [part(settings, "worker", environment_files=(str(keys),)) for _ in range(2)]
    before = parts[0].digest()
    assert parts[1].digest() == before
    write_private(keys, "KEY=two\n")
    assert parts[1].digest() != before
    assert "two" not in json.dumps(parts[1].described())


def test_the_end_of_a_log_is_its_last_lines(tmp_path):
    log = tmp_path / "part.log"
    assert log_tail(log, 3) == ""
    log.write_text("".join(f"line {number}\n" for number in range(10)))
    assert log_tail(log, 2) == "line 8\nline 9"


def test_new_lines_of_a_log_are_followed_whole_and_after_it_was_put_aside(tmp_path):
    log = tmp_path / "part.log"
    log.write_text("before\n")
    lines = followed({"part": log})
    with log.open("a") as file:
        file.write("one\ntwo")  # the second is not whole yet
    assert next(lines) == ("part", "one")
    log.write_text("new\n")  # shorter: put aside by a part that starts
    assert next(lines) == ("part", "new")
