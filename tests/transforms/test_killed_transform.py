"""A transform whose process is killed: what its editor has answered is not asked again."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.infra.chat_server import running_server
from tests.infra.flaky_endpoint import choices
from tests.transforms.transform_program import PAIRS

pytestmark = pytest.mark.slow

KILLED_AT = 9
"""The request during which the process is killed."""


class Editor:
    """Answers every question; kills who asks at one of them."""

    def __init__(self, server, killed_at=None):
        self.server, self.killed_at, self.process = server, killed_at, None
        server.play = self.play

    def play(self, handler, number, text):
        if self.killed_at and len(self.server.bodies) == self.killed_at:
            os.kill(self.process.pid, signal.SIGKILL)
            return
        choices(handler, ["a young fig"])

    def run(self, folder):
        """The program to its end: its exit code and the last line of its output."""
        command = [sys.executable, "-m", "tests.transforms.transform_program"]
        self.process = subprocess.Popen(
            [*command, str(folder), self.server.url],
            env={**os.environ, "TSO_WORK": f"{folder}/work"}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        said, _ = self.process.communicate()
        return self.process.returncode, said.strip().rpartition("\n")[2]


def kept(folder):
    """Calls in the journals on this machine."""
    lines = [line for path in folder.rglob("*.jsonl") for line in path.read_text().splitlines()]
    rows = [json.loads(line) for line in lines if line.startswith('{"call"')]
    return len([row for row in rows if "choices" in row["reply"]])


def test_what_was_answered_before_the_kill_is_asked_once_and_the_end_is_the_same(tmp_path):
    with running_server() as server:
        calm = Editor(server).run(tmp_path / "calm")
        assert (calm[0], len(server.bodies)) == (0, PAIRS)
        server.bodies.clear(), server.asked.clear()
        editor = Editor(server, KILLED_AT)
        assert editor.run(tmp_path / "killed")[0] == -signal.SIGKILL
        received, answered = len(server.bodies), kept(tmp_path / "killed/work")
        assert 0 < answered < received < PAIRS
        assert Editor(server).run(tmp_path / "killed") == calm
        assert len(server.bodies) == PAIRS + received - answered
        again = [text for text, times in server.asked.items() if times > 1]
        assert len(again) == received - answered <= 2
        assert Editor(server).run(tmp_path / "killed") == calm
        assert len(server.bodies) == PAIRS + received - answered, "a finished stage asks nobody"
