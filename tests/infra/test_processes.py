import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from infra.processes import Limits, Supervised, children, run_child
from tasks.errors import ChildError, HeldError
from tests.infra.alive import gone

ROOT = Path(__file__).parents[2]
PROGRAMS = "tests.infra.programs"


def start(workdir: Path, does: str, events: list[Any] | None = None, **limits: float) -> Any:
    workdir.mkdir(exist_ok=True)
    (workdir / "spec.json").write_text(json.dumps({"does": does, "events": 3}))
    seen = [] if events is None else events
    return run_child(PROGRAMS, workdir, limits=Limits(**limits), on_event=seen.append)


def failure(workdir: Path, does: str, **limits: float) -> ChildError:
    with pytest.raises(ChildError) as caught:
        start(workdir, does, **limits)
    return caught.value


def test_result_and_all_events_of_a_child_come_back(tmp_path: Path) -> None:
    events: list[Any] = []
    result = start(tmp_path, "nothing", events)
    assert result["answer"] == 42
    assert events == [{"event": "progress", "done": n} for n in range(3)]


def test_no_child_waits_for_scikit_learn_to_load(tmp_path: Path) -> None:
    assert start(tmp_path, "generation")["answer"] == 42


def test_events_and_result_of_an_earlier_attempt_are_not_replayed(tmp_path: Path) -> None:
    start(tmp_path, "nothing")
    events: list[Any] = []
    with pytest.raises(ChildError):
        start(tmp_path, "bug", events)
    assert len(events) == 3
    assert not (tmp_path / "result.json").exists()


@pytest.mark.parametrize(
    ("does", "code", "said"),
    [
        ("bad_input", 2, "DataError: row 7 has no prompt"),
        ("host_memory", 3, "out of memory"),
        ("torch_memory", 3, "out of memory"),
        ("bug", 4, "no such thing"),
        ("dies", 137, "killed by SIGKILL"),
    ],
)
def test_exit_codes_tell_the_kind_of_failure(
    tmp_path: Path, does: str, code: int, said: str
) -> None:
    error = failure(tmp_path, does)
    assert error.exit_code == code
    assert said in str(error)
    assert "a line for the log" in str(error)
    assert str(tmp_path / "log.txt") in str(error)


def test_sigkill_by_the_kernels_memory_killer_is_out_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = iter([5, 6])
    monkeypatch.setattr(children, "_out_of_memory_kills", lambda: next(counts))
    assert failure(tmp_path, "dies").exit_code == 3


def test_deadline_stops_the_child_and_is_named(tmp_path: Path) -> None:
    started = time.monotonic()
    error = failure(tmp_path, "sleeps", deadline_seconds=3)
    assert error.exit_code == children.DEADLINE
    assert "deadline_seconds=3" in str(error)
    assert "a line for the log" in str(error)
    assert time.monotonic() - started < 10
    assert gone([int((tmp_path / "child.pid").read_text())])


def test_silence_stops_the_child_and_is_named(tmp_path: Path) -> None:
    error = failure(tmp_path, "sleeps", stalled_seconds=1)
    assert error.exit_code == children.STALLED
    assert "stalled_seconds=1" in str(error)


def test_a_beat_without_event_counts_as_sign_of_life(tmp_path: Path) -> None:
    assert start(tmp_path, "beats", stalled_seconds=3)["answer"] == 42


def test_an_event_that_is_not_json_is_an_error_of_the_child(tmp_path: Path) -> None:
    error = failure(tmp_path, "not_json")
    assert error.exit_code == 4
    assert "not JSON" in str(error)


def test_unknown_module_is_a_child_error_with_the_log(tmp_path: Path) -> None:
    with pytest.raises(ChildError, match="No module named no_such_module"):
        run_child("no_such_module", tmp_path, limits=Limits(), on_event=print)


def test_missing_interpreter_is_a_child_error_with_the_log(tmp_path: Path) -> None:
    with pytest.raises(ChildError, match="cannot start /no/python"):
        run_child("x", tmp_path, limits=Limits(interpreter="/no/python"), on_event=print)


def test_missing_spec_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(ChildError, match=r"cannot read .*spec.json") as caught:
        run_child(PROGRAMS, tmp_path, limits=Limits(), on_event=print)
    assert caught.value.exit_code == 2


def test_sigterm_to_the_child_is_exit_code_75(tmp_path: Path) -> None:
    def stop_it(event: dict[str, Any]) -> None:
        os.kill(int((tmp_path / "child.pid").read_text()), signal.SIGTERM)

    (tmp_path / "spec.json").write_text(json.dumps({"does": "sleeps", "events": 1}))
    with pytest.raises(ChildError, match="stopped by SIGTERM") as caught:
        run_child(PROGRAMS, tmp_path, limits=Limits(), on_event=stop_it)
    assert caught.value.exit_code == 75


def test_a_swallowed_sigterm_is_raised_again_at_the_next_event(tmp_path: Path) -> None:
    def stop_it(event: dict[str, Any]) -> None:
        if event["event"] == "ready":
            os.kill(int((tmp_path / "child.pid").read_text()), signal.SIGTERM)

    (tmp_path / "spec.json").write_text(json.dumps({"does": "swallows_the_stop"}))
    with pytest.raises(ChildError) as caught:
        run_child(PROGRAMS, tmp_path, limits=Limits(), on_event=stop_it)
    assert caught.value.exit_code == 75


def test_an_error_in_the_event_handler_stops_the_child(tmp_path: Path) -> None:
    def fail(event: dict[str, Any]) -> None:
        raise ZeroDivisionError

    (tmp_path / "spec.json").write_text(json.dumps({"does": "sleeps", "events": 1}))
    with pytest.raises(ZeroDivisionError):
        run_child(PROGRAMS, tmp_path, limits=Limits(), on_event=fail)
    assert gone([int((tmp_path / "child.pid").read_text())], seconds=0.5)


def test_a_second_launcher_waits_until_the_first_child_is_gone(tmp_path: Path) -> None:
    sleeper = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
    with Supervised(sleeper, tmp_path, grace_seconds=0.1) as first:
        threading.Timer(1.0, first.stop).start()
        started = time.monotonic()
        with Supervised(sleeper, tmp_path, grace_seconds=0.1):
            assert time.monotonic() - started > 0.8
            assert first.exit_code() is not None


def test_a_folder_that_stays_held_is_an_error_that_names_the_holder(tmp_path: Path) -> None:
    sleeper = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
    second = Supervised(sleeper, tmp_path, wait_seconds=0.2)
    with Supervised(sleeper, tmp_path), pytest.raises(HeldError, match="still works in"):
        second.__enter__()


def test_a_process_that_is_stopped_right_after_its_start_gets_the_signal(tmp_path: Path) -> None:
    for _ in range(5):
        started = time.monotonic()
        with Supervised(["/bin/sleep", "60"], tmp_path, grace_seconds=5):
            pass
        assert time.monotonic() - started < 3


def test_stdout_of_a_child_is_a_file_and_stdin_is_empty(tmp_path: Path) -> None:
    code = "import os; print([os.readlink(f'/proc/self/fd/{n}') for n in range(3)])"
    with Supervised([sys.executable, "-c", code], tmp_path) as process:
        while process.exit_code() is None:
            time.sleep(0.02)
    log = str(tmp_path / "log.txt")
    assert process.log_tail() == str(["/dev/null", log, log])


def test_the_supervisor_costs_less_than_half_a_second(tmp_path: Path) -> None:
    times = []
    for _ in range(5):
        started = time.monotonic()
        with Supervised(["/bin/true"], tmp_path) as process:
            while process.exit_code() is None:
                time.sleep(0.005)
        times.append(time.monotonic() - started)
    assert min(times) < 0.5  # a ceiling: other work may share the two cores
