"""supervisord keeps parts alive, takes changes of one alone, and gives up on what cannot start."""

import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from alive import gone
from stack_parts import part, stack_in

from infra.stack import leftovers, supervision
from infra.stack.launch import LARGEST_LOG
from infra.stack.supervision import SUPERVISOR, Supervision


def until(met, seconds=30.0):
    """What `met` returns once it is true."""
    end = time.monotonic() + seconds
    while not (found := met()):
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)
    return found


class Supervised:
    def __init__(self, folder):
        self.settings = stack_in(folder)
        self.supervision = Supervision(self.settings)

    def with_parts(self, *parts):
        self.supervision.configure(parts)
        if self.supervision.alive():
            self.supervision.update(parts)
        else:
            self.supervision.start()
        for one in parts:
            self.supervision.run(one.name)
        return [self.pid(one.name) for one in parts]

    def pid(self, name):
        return until(lambda: self.state(name) in ("STARTING", "RUNNING") and self.seen(name)["pid"])

    def seen(self, name):
        return self.supervision.state(name)

    def state(self, name):
        return self.seen(name)["statename"]


@pytest.fixture
def supervised(tmp_path, monkeypatch):
    monkeypatch.setattr(supervision, "STEADY_SECONDS", 1)
    monkeypatch.setattr(supervision, "RETRIES", 1)
    made = Supervised(tmp_path)
    yield made
    if made.supervision.alive():
        for name in made.supervision.names():
            made.supervision.stop(name)
        made.supervision.shut_down()
    assert leftovers.processes_of(tmp_path) == []


def test_a_part_that_is_killed_is_started_again(supervised):
    [pid] = supervised.with_parts(part(supervised.settings, "one"))
    until(lambda: supervised.state("one") == "RUNNING")
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: supervised.pid("one") not in (0, pid))


def test_only_the_part_that_has_changed_is_started_anew(supervised):
    settings = supervised.settings
    before = supervised.with_parts(part(settings, "one"), part(settings, "two"))
    until(lambda: supervised.state("two") == "RUNNING")
    changed = part(settings, "two", "import time; time.sleep(601)")
    after = supervised.with_parts(part(settings, "one"), changed)
    assert after[0] == before[0] and after[1] != before[1]
    assert gone([before[1]])


def test_a_part_that_cannot_start_is_given_up_and_its_log_says_why(supervised):
    broken = part(supervised.settings, "one", "raise SystemExit('no such key')")
    supervised.supervision.configure([broken])
    supervised.supervision.start()
    supervised.supervision.run("one")
    until(lambda: supervised.state("one") == "FATAL")
    assert Path(broken.log).read_text().splitlines() == ["no such key"] * 2


def test_parts_outlive_their_supervisor_and_are_found_by_their_mark(supervised):
    [pid] = supervised.with_parts(part(supervised.settings, "one"))
    until(lambda: leftovers.processes_of(supervised.settings.folder, "one"))
    other = psutil.Popen(["sleep", "60"], env={"PATH": os.environ["PATH"]})
    os.kill(supervised.supervision.pid(), signal.SIGKILL)
    until(lambda: not supervised.supervision.alive())
    assert [one.pid for one in leftovers.processes_of(supervised.settings.folder)] == [pid]
    assert leftovers.end(supervised.settings.folder, SUPERVISOR) == []
    assert leftovers.end(supervised.settings.folder, "one") == ["python"] or gone([pid])
    assert gone([pid]) and other.is_running()
    other.kill()
    other.wait()


def test_a_part_begins_without_the_variables_of_whoever_started_it(supervised, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "of somebody's shell")
    show = "import os, time; print(sorted(os.environ), flush=True); time.sleep(600)"
    one = part(supervised.settings, "one", show)
    supervised.with_parts(one)
    shown = until(lambda: Path(one.log).exists() and Path(one.log).read_text())
    assert "JUDGE_KEY" not in shown and "TSO_STACK_MARK" in shown


def test_a_long_log_is_put_aside_when_its_part_starts(supervised):
    one = part(supervised.settings, "one")
    log = Path(one.log)
    with log.open("wb") as file:
        file.truncate(LARGEST_LOG + 1)
    supervised.with_parts(one)
    until(lambda: log.exists() and log.read_text() == "begun\n")
    assert Path(f"{log}.1").stat().st_size == LARGEST_LOG + 1
