"""One `tso run` in a folder of its own: started, watched, killed, and compared with another."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from infra.manifests import read_sealed, read_table, stored_file
from infra.run_tree import RunTree
from infra.storage import open_store

Item = tuple[str, str]
"""A stage's digest and what was worked on."""

COMMAND = Path(sys.executable).with_name("tso")
PLACES = re.compile(r'"(uri|report|config)": "[^"]*"')
"""What names the store in a round's manifest; the configuration's digest does, too."""
LINE = re.compile(r"^(sample|judge|score|train)\b", re.MULTILINE)


class WatchedRun:
    """The command `tso run NAME` with work folder and store in `folder`."""

    def __init__(self, folder: Path, preset: str, rounds: int, settings: tuple[str, ...] = ()):
        self.folder = folder
        self.work = folder / "work"
        self.log = folder / "log.txt"
        self.store = open_store(f"file://{folder}/store")
        self.command = [str(COMMAND), "run", "kills", "--preset", preset, "--until", str(rounds)]
        for setting in settings:
            self.command += ["--set", setting]
        self.items: list[Item] = []
        self._read = 0
        folder.mkdir(parents=True, exist_ok=True)

    def start(self) -> subprocess.Popen[bytes]:
        own = {"TSO_WORK": str(self.work), "TSO_STORE": self.store.root, "DO_NOT_TRACK": "1"}
        environment = {**os.environ, **own}
        environment.pop("PREFECT_API_URL", None)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self.command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def read_items(self) -> list[Item]:
        """Everything that was begun so far, in order."""
        path = self.work / "items.jsonl"
        if path.exists():
            with path.open("rb") as file:
                file.seek(self._read)
                whole = file.read()
            whole = whole[: whole.rfind(b"\n") + 1]
            self._read += len(whole)
            lines = [json.loads(line) for line in whole.splitlines()]
            self.items += [(line["stage"], line["item"]) for line in lines]
        return self.items

    def child(self) -> tuple[str, int] | None:
        """Verb and process of a child at work, if there is one."""
        for path in self.work.glob("stages/*/*/*/child.pid"):
            pid = _number(path)
            if pid and str(path.parent) in _command_line(pid):
                return path.relative_to(self.work).parts[1], pid
        return None

    def verb(self) -> str:
        """What is under way: the child's verb, else the last one that the terminal shows."""
        child = self.child()
        if child is not None:
            return child[0]
        with self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 4096))
            shown = LINE.findall(log.read().decode(errors="replace"))
        return str(shown[-1]) if shown else "start"

    def committed(self) -> set[Item]:
        """Items that nobody may work on again: of finished stages and shards, before checkpoints.

        An item of a finished stage is there as (stage, "*").
        """
        found: set[Item] = set()
        for stage in {stage for stage, _ in self.read_items()}:
            for folder in self.store_path("stages").glob(f"*/*/{stage}"):
                if (folder / "manifest.json").exists():
                    found.add((stage, "*"))
                else:
                    found |= {(stage, item) for item in self._items_of_shards(folder)}
            found |= {(stage, item) for item in self._steps_before_checkpoint(stage)}
        return found

    def _items_of_shards(self, folder: Path) -> Iterator[str]:
        relative = str(folder.relative_to(self.store_path("")))
        for manifest in sorted((folder / "shards").glob("*.json")):
            body = read_sealed(self.store, f"{relative}/shards/{manifest.name}")
            for row in read_table(self.store, stored_file(relative, body["table"])).to_pylist():
                if "sample_index" in row:
                    yield f"{row['prompt_id']}:{row['sample_index']}"
                elif "response_id" in row:
                    yield row["response_id"]

    def _steps_before_checkpoint(self, stage: str) -> list[str]:
        done = self.work.glob(f"stages/train/*/{stage}/checkpoints/step-*/DONE")
        last = max((int(path.parent.name.removeprefix("step-")) for path in done), default=0)
        return [f"step-{step}" for step in range(1, last + 1)]

    def store_path(self, path: str) -> Path:
        return self.folder / "store" / path

    def stage_manifests(self) -> dict[str, bytes]:
        """Every stage manifest, byte for byte."""
        found = self.store_path("stages").glob("*/*/*/manifest.json")
        return {
            str(path.relative_to(self.store_path("stages"))): path.read_bytes() for path in found
        }

    def round_manifests(self) -> list[str]:
        """The rounds' manifests without what names the store."""
        manifests = RunTree(self.store, "kills").manifests()
        return [PLACES.sub("", json.dumps(one, sort_keys=True)) for one in manifests]

    def processes(self) -> list[int]:
        """Processes of this run: its folder is in their environment or on their command line."""
        mark = str(self.folder)
        return [
            process.pid
            for process in psutil.process_iter()
            if process.pid != os.getpid() and mark in _command_line(process.pid, environment=True)
        ]

    def processes_left(self, seconds: float = 20) -> list[int]:
        """Those that are still there after `seconds`."""
        wait(lambda: not self.processes(), lambda: False, seconds, pause=0.2)
        return self.processes()


def repeated(items: list[Item], committed: set[Item]) -> list[Item]:
    """Those of `items` that were committed before they were begun."""
    return [one for one in items if one in committed or (one[0], "*") in committed]


def wait(
    ready: Callable[[], Any], ended: Callable[[], Any], seconds: float, pause: float = 0.005
) -> bool:
    """Whether `ready` comes true before `ended` does, and within `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ready():
            return True
        if ended():
            return False
        time.sleep(pause)
    return False


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _command_line(pid: int, environment: bool = False) -> str:
    """Command line, and environment if asked for, of a live process; empty if it is gone."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return ""
        values = process.environ().values() if environment else []
        return " ".join([*process.cmdline(), *values])
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return ""
