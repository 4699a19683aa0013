"""The pages that lead a user through are true: their files are written, their commands are run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infra.chat_server import Server, answer, serving
from tests.sources import ROOT
from tests.tiny_models import tiny_model

pytestmark = pytest.mark.slow

BLOCK = re.compile(r"^```(\w+)(?: ([^\n]+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)
CONTINUES = re.compile(r"(\S+) \(continues (\S+)\)")
ENDPOINT = "http://127.0.0.1:8000/v1"


def write_files(page: str, folder: Path, endpoint: str) -> str:
    """Write the page's files; its commands are returned."""
    commands = []
    text = (ROOT / "docs" / page).read_text(encoding="utf-8").replace(ENDPOINT, endpoint)
    for language, name, body in BLOCK.findall(text):
        if language == "sh":
            commands.append(body)
        elif found := CONTINUES.fullmatch(name):
            before = (folder / found[2]).read_text(encoding="utf-8")
            (folder / found[1]).write_text(before + body, encoding="utf-8")
        else:
            (folder / name).write_text(body, encoding="utf-8")
    return "".join(commands)


def say(handler, number, text):
    """The judges prefer the longer text; the model says a word or two."""
    verdict = "Verdict: A" if text.count("a") % 2 else "Verdict: B"
    answer(handler, verdict if "Verdict" in text else f"{text[7:-1]} {len(text)}")


@pytest.mark.parametrize("page", ["own-data.md", "own-models.md"])
def test_every_command_of_the_page_works(page, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models/sft").symlink_to(tiny_model())
    with serving(Server()) as server:
        server.play = say
        commands = write_files(page, tmp_path, server.url)
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "TSO_WORK": str(tmp_path / "work"),
        }
        done = subprocess.run(
            ["bash", "-euxc", commands],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert commands.count("tso ") >= 5
