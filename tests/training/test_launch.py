import json
import os
import signal
import sys

import psutil
import pytest
import torch
from training_jobs import run_here, train_spec

from infra.processes import Limits, child_events, run_child
from tasks.errors import ChildError, ConfigError
from tests.infra.alive import gone

PROGRAM = "tests.training.parts_program"
LIMITS = Limits(deadline_seconds=300, grace_seconds=20)


def prepared(workdir, second, **fields):
    """A work folder whose second process does `second`."""
    job = train_spec(".", {"kind": "dpo"}, processes=2, device="cpu", **fields)
    (workdir / "spec.json").write_text(json.dumps({"training": job, "second": second}))
    return workdir


def everybody(event):
    """Ids of all processes of a child, from its event."""
    return [event["launcher"], *event["pids"]]


@pytest.mark.slow
def test_the_first_process_reports_and_threads_are_divided(tmp_path):
    events = []
    prepared(tmp_path, "nothing", threads=4)
    result = run_child(PROGRAM, tmp_path, limits=LIMITS, on_event=events.append)
    assert result == {"threads": 2, "rank": 0}
    assert len(events) == 1 and len(set(everybody(events[0]))) == 3
    assert gone(everybody(events[0]))
    assert not (tmp_path / "error.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("second", "code", "said"),
    [
        ("bad_input", 2, "DataError: row 7 has no prompt"),
        ("memory", 3, "in flight: tokens 64"),
        ("bug", 4, "no such thing"),
        ("dies", 137, "process 1 was ended by SIGKILL"),
        ("crashes", 139, "process 1 was ended by SIGSEGV"),
    ],
)
def test_the_process_that_fails_first_ends_all_and_says_why(second, code, said, tmp_path):
    events = []
    prepared(tmp_path, second)
    with pytest.raises(ChildError) as caught:
        run_child(PROGRAM, tmp_path, limits=LIMITS, on_event=events.append)
    assert caught.value.exit_code == code
    assert said in str(caught.value).split("Log:")[0]
    assert gone(everybody(events[0]))
    assert not (tmp_path / "result.json").exists()


@pytest.mark.slow
def test_sigterm_reaches_every_process(tmp_path):
    events = []

    def stop_it(event):
        events.append(event)
        os.kill(int((tmp_path / "child.pid").read_text()), signal.SIGTERM)

    prepared(tmp_path, "sleeps")
    with pytest.raises(ChildError, match="Stopped") as caught:
        run_child(PROGRAM, tmp_path, limits=LIMITS, on_event=stop_it)
    assert caught.value.exit_code == 75
    assert gone(everybody(events[0]), seconds=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("victims", [["launcher"], ["launcher", "supervisor"]])
@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel of Linux")
def test_no_process_outlives_the_launcher(victims, tmp_path):
    child = child_events(PROGRAM, prepared(tmp_path, "sleeps"), limits=LIMITS)
    event = next(child)
    pids = {"launcher": event["launcher"], "supervisor": psutil.Process(event["launcher"]).ppid()}
    for victim in victims[::-1]:
        os.kill(pids[victim], signal.SIGKILL)
    with pytest.raises(ChildError):
        list(child)
    assert gone([*pids.values()][: len(victims)] + event["pids"])


def test_fewer_gpus_than_processes_are_an_error_with_both_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    job = train_spec(".", processes=2, device="cuda")
    with pytest.raises(ConfigError, match="processes is 2, with a GPU for each, but torch sees 1"):
        run_here(tmp_path, job)


def test_a_number_of_processes_that_torchrun_did_not_start_is_refused(tmp_path, monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "RANK": "0", "WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="wants processes=2, torchrun started 4"):
        run_here(tmp_path, train_spec(".", processes=2))
