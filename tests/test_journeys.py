"""The pages that lead a user through are true: their files are written, their commands are run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infra.chat_server import answer, running_server
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
    """Judges prefer the longer response; the model says a word and a number."""
    if "Response B:" not in text:
        answer(handler, f"{text[7:-1]} {len(text)}")
        return
    first, second = text.split("Response A:")[1].split("Which response")[0].split("Response B:")
    answer(handler, f"It says more.\nVerdict: {'A' if len(first) > len(second) else 'B'}")


@pytest.mark.parametrize("page", ["own-data.md", "own-models.md"])
def test_every_command_of_the_page_works(page, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models/sft").symlink_to(tiny_model())
    with running_server() as server:
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
