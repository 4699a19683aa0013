import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from infra.prefect import server
from infra.processes import Supervised
from tasks.errors import ChildError, HeldError

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from prefect import flow, task
from prefect.settings import get_current_settings
from infra.prefect.server import local_api

@task
def one():
    return 1

@flow
def adds_up():
    return one() + one()

with local_api() as url:
    assert get_current_settings().api.url == url
    print(url, adds_up(), flush=True)
    if sys.argv[1] == "waits":
        sys.stdin.read()
assert get_current_settings().api.url is None
"""
SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]


@pytest.fixture
def started() -> Iterator[Any]:
    programs: list[subprocess.Popen[str]] = []

    def start(how: str) -> subprocess.Popen[str]:
        clean = {key: text for key, text in os.environ.items() if not key.startswith("PREFECT_")}
        pipe = subprocess.PIPE
        programs.append(
            subprocess.Popen(
                [sys.executable, "-c", PROGRAM, how], cwd=ROOT, env=clean, text=True,
                stdin=pipe, stdout=pipe, stderr=pipe,
            )
        )  # fmt: skip
        return programs[-1]

    yield start
    for program in programs:
        program.kill()
        program.communicate()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.mark.service
def test_a_flow_has_a_server_that_ends_with_the_block(started: Any) -> None:
    out, errors = started("ends").communicate(timeout=180)
    url, total = out.split()
    assert total == "2"
    assert not answers(url)
    assert errors == ""


@pytest.mark.service
def test_the_server_dies_with_a_process_that_is_killed(started: Any, own_work_folder: Path) -> None:
    program = started("waits")
    url = program.stdout.readline().split()[0]
    assert answers(url)
    group = int((own_work_folder / "prefect" / "0" / "child.pid").read_text())
    os.kill(program.pid, signal.SIGKILL)
    end = time.monotonic() + server.GRACE_SECONDS + 5
    while psutil.pid_exists(group) and time.monotonic() < end:
        time.sleep(0.1)
    assert not psutil.pid_exists(group)
    assert not answers(url)


def test_a_configured_server_is_used_and_none_is_started(own_work_folder: Path) -> None:
    configured = "http://127.0.0.1:1/api"
    with temporary_settings({PREFECT_API_URL: configured}), server.local_api() as url:
        assert url == configured
    assert not own_work_folder.exists()


def test_a_second_process_takes_a_folder_of_its_own(
    own_work_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_command", lambda port: SLEEP)
    with ExitStack() as first, ExitStack() as second:
        assert server._in_a_free_folder(first, 1).workdir == own_work_folder / "prefect" / "0"
        assert server._in_a_free_folder(second, 1).workdir == own_work_folder / "prefect" / "1"
        monkeypatch.setattr(server, "MOST_SERVERS", 2)
        with pytest.raises(HeldError, match="all 2 folders"):
            server._in_a_free_folder(ExitStack(), 1)


def test_a_server_that_does_not_start_is_an_error_with_its_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fails = [sys.executable, "-S", "-c", "raise SystemExit('no such table: flow')"]
    monkeypatch.setattr(server, "_command", lambda port: fails)
    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(ChildError, match=r"ended with 1;(.|\n)*no such table: flow"),
        server.local_api(),
    ):
        pass


def test_a_taken_port_is_tried_again_with_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports: list[int] = []

    def command(port: int) -> list[str]:
        ports.append(port)
        return [sys.executable, "-S", "-c", "raise SystemExit('[Errno 98] Address already in use')"]

    monkeypatch.setattr(server, "_command", command)
    with ExitStack() as stack, pytest.raises(ChildError):
        server._started(stack)
    assert len(set(ports)) == server.ATTEMPTS


def test_the_server_writes_only_into_its_folder_and_reports_to_nobody(tmp_path: Path) -> None:
    shows = "import json, os; print(json.dumps(dict(os.environ)))"
    command = [sys.executable, "-S", "-c", shows]
    with Supervised(command, tmp_path, environment=server._environment(tmp_path)) as process:
        while process.exit_code() is None:
            time.sleep(0.02)
    seen = json.loads(process.log_tail())
    assert seen["PREFECT_HOME"] == str(tmp_path)
    assert seen["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert str(tmp_path) in seen["PREFECT_API_DATABASE_CONNECTION_URL"]
