"""Forked children are what started ones are: results, events, exit codes, surroundings, ends."""

import json
import os
import signal

import pytest

from infra.processes import Limits, run_child
from tasks import child
from tasks.errors import ChildError
from tests.infra.alive import gone
from tests.warm import warm_start

pytestmark = pytest.mark.usefixtures("warm_server")


def run(workdir, does, on_event=lambda event: None, **limits):
    workdir.mkdir(exist_ok=True)
    child.write_json(workdir / child.SPEC, {"does": does, "events": 0 if "tells" in does else 3})
    with warm_start():
        return run_child(
            "tests.infra.programs", workdir, limits=Limits(**limits), on_event=on_event
        )


def test_result_and_events_come_back_and_the_log_is_written(tmp_path):
    events = []
    assert run(tmp_path, "nothing", events.append) == {"answer": 42, "cwd": os.getcwd()}
    assert [one["done"] for one in events] == [0, 1, 2]
    assert "a line for the log" in (tmp_path / child.LOG).read_text()


def test_it_has_the_variables_and_the_niceness_of_its_parent(tmp_path, monkeypatch):
    monkeypatch.setenv("TSO_TOLD", "yes")
    told = run(tmp_path, "surroundings")
    assert told["answer"] == 42
    assert json.loads((tmp_path / "surroundings.json").read_text()) == {
        "told": "yes",
        "niceness": os.nice(0),
        "ready": True,
        "scikit_learn": False,
    }


@pytest.mark.parametrize(
    ("does", "code", "said"),
    [
        ("bad_input", child.BAD_INPUT, "DataError: row 7 has no prompt"),
        ("torch_memory", child.OUT_OF_MEMORY, "out of memory"),
        ("bug", child.BUG, "no such thing"),
        ("dies", 137, "killed by SIGKILL"),
    ],
)
def test_exit_codes_tell_the_kind_of_failure(tmp_path, does, code, said):
    with pytest.raises(ChildError, match=said) as caught:
        run(tmp_path, does)
    assert caught.value.exit_code == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_whoever_ends_its_stand_in_ends_the_child(tmp_path, number):
    pids = []

    def end(event):
        pids.append(event["pid"])
        os.kill(int((tmp_path / child.PID).read_text()), number)

    with pytest.raises(ChildError) as caught:
        run(tmp_path, "tells_its_number", end)
    assert caught.value.exit_code == {signal.SIGTERM: child.STOPPED, signal.SIGKILL: 137}[number]
    assert gone(pids)


def test_a_child_past_its_deadline_is_stopped(tmp_path):
    with pytest.raises(ChildError, match="deadline_seconds=1"):
        run(tmp_path, "sleeps", deadline_seconds=1)
