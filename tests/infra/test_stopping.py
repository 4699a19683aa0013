import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.processes import Limits, run_child
from tasks.child import STOPPED
from tasks.errors import ChildError

ROOT = Path(__file__).parents[2]


@contextmanager
def working(workdir: Path, **spec: float) -> Iterator[subprocess.Popen[bytes]]:
    """A child in its first step."""
    (workdir / "spec.json").write_text(json.dumps({"does": "stops_at_checkpoints", **spec}))
    command = [sys.executable, "-m", "tests.infra.programs", str(workdir)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not events(workdir):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.wait()


def events(workdir: Path) -> list[Any]:
    path = workdir / "progress.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_at_sigterm_the_step_under_way_is_finished_and_saved(tmp_path: Path) -> None:
    with working(tmp_path, seconds=60, step_seconds=1) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == STOPPED
    last = events(tmp_path)[-2:]
    assert [one["event"] for one in last] == ["step", "checkpoint"]
    assert last[0]["step"] == last[1]["step"]
    assert json.loads((tmp_path / "error.json").read_text())["type"] == "Stopped"


def test_signals_that_come_together_are_one_request(tmp_path: Path) -> None:
    with working(tmp_path, seconds=60, step_seconds=1) as process:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == STOPPED
    assert events(tmp_path)[-1]["event"] == "checkpoint"


def test_a_second_sigterm_ends_it_at_once(tmp_path: Path) -> None:
    with working(tmp_path, seconds=600, step_seconds=600) as process:
        process.send_signal(signal.SIGTERM)
        time.sleep(1.5)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == -signal.SIGTERM
    assert events(tmp_path)[-1]["event"] == "step"


def test_a_step_that_takes_too_long_is_ended_by_the_kernel(tmp_path: Path) -> None:
    with working(tmp_path, seconds=0.5, step_seconds=600) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == -signal.SIGALRM


def test_the_launcher_takes_the_alarm_for_a_stop(tmp_path: Path) -> None:
    spec = {"does": "stops_at_checkpoints", "seconds": 0.5, "step_seconds": 600}
    (tmp_path / "spec.json").write_text(json.dumps(spec))

    def stop_it(event: Any) -> None:
        os.kill(int((tmp_path / "child.pid").read_text()), signal.SIGTERM)

    with pytest.raises(ChildError, match="stopped by SIGTERM") as caught:
        run_child("tests.infra.programs", tmp_path, limits=Limits(), on_event=stop_it)
    assert caught.value.exit_code == STOPPED
