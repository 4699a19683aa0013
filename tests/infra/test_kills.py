import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.processes import Limits, child_events, run_child
from tasks.errors import ChildError
from tests.infra.alive import gone, running

ROOT = Path(__file__).parents[2]
PROGRAMS = "tests.infra.programs"


def test_closing_the_events_stops_child_and_grandchildren(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps({"does": "family"}))
    events = child_events(PROGRAMS, tmp_path, limits=Limits(grace_seconds=1))
    family = next(events)
    events.close()
    assert gone([*family["pids"], family["far"]], seconds=0.5)


def test_a_child_that_is_killed_leaves_no_grandchild(tmp_path: Path) -> None:
    family: list[dict[str, Any]] = []

    def kill_it(event: dict[str, Any]) -> None:
        family.append(event)
        os.kill(event["pids"][0], signal.SIGKILL)

    (tmp_path / "spec.json").write_text(json.dumps({"does": "family"}))
    with pytest.raises(ChildError) as caught:
        run_child(PROGRAMS, tmp_path, limits=Limits(), on_event=kill_it)
    assert caught.value.exit_code == 137
    assert gone([*family[0]["pids"], family[0]["far"]], seconds=0.5)


def test_a_supervisor_that_is_killed_leaves_no_process_of_the_group(tmp_path: Path) -> None:
    family: list[dict[str, Any]] = []

    def kill_supervisor(event: dict[str, Any]) -> None:
        family.append(event)
        os.kill(psutil.Process(event["pids"][0]).ppid(), signal.SIGKILL)

    (tmp_path / "spec.json").write_text(json.dumps({"does": "family"}))
    with pytest.raises(ChildError, match="supervisor was killed") as caught:
        run_child(PROGRAMS, tmp_path, limits=Limits(), on_event=kill_supervisor)
    assert caught.value.exit_code == -9
    assert gone(family[0]["pids"])
    if running(family[0]["far"]):  # out of reach once its supervisor is dead: documented
        os.kill(family[0]["far"], signal.SIGKILL)


LAUNCHER = """
import json, sys
from pathlib import Path
from infra.processes import Limits, run_child
workdir = Path(sys.argv[1])
run_child("tests.infra.programs", workdir, limits=Limits(grace_seconds=1),
          on_event=lambda event: (workdir / "family.json").write_text(json.dumps(event)))
"""


def launched(workdir: Path) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    """A launcher process whose child has two grandchildren, and their pids."""
    (workdir / "spec.json").write_text(json.dumps({"does": "family"}))
    launcher = subprocess.Popen([sys.executable, "-c", LAUNCHER, str(workdir)], cwd=ROOT)
    for _ in range(300):
        time.sleep(0.05)
        text = (workdir / "family.json").read_text() if (workdir / "family.json").exists() else ""
        if text:
            return launcher, json.loads(text)
    raise AssertionError("the child did not start")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_launcher_that_is_killed_leaves_no_process(tmp_path: Path, number: int) -> None:
    launcher, family = launched(tmp_path)
    supervisor = psutil.Process(family["pids"][0]).ppid()
    os.kill(launcher.pid, number)
    launcher.wait()
    assert gone([supervisor, *family["pids"], family["far"]], seconds=6)


def test_launcher_and_supervisor_killed_together_leave_no_child_at_work(tmp_path: Path) -> None:
    launcher, family = launched(tmp_path)
    os.kill(launcher.pid, signal.SIGKILL)
    os.kill(psutil.Process(family["pids"][0]).ppid(), signal.SIGKILL)
    launcher.wait()
    assert gone([family["pids"][0]], seconds=1)
    for pid in (family["pids"][1], family["far"]):
        os.kill(pid, signal.SIGKILL)
