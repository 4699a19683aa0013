"""A stack for tests and pictures: brought up by its command, in a folder that is taken away."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from docs.weekly import ROOT, page_at
from infra.stack.ports import is_free
from infra.stack.settings import PORT_OFFSETS, StackSettings, load_settings

SOONER = {
    "PREFECT_WORKER_QUERY_SECONDS": "2",
    "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "5",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5",
}
"""Waits of workers, queue and scheduler; by default they are 10, 30 and 60 seconds."""
COMMAND = "import sys; from flows.cli import main; main()"


class Lab:
    """One stack, its API, and the commands of `tso` on it."""

    def __init__(self, folder: Path, presets: Path, **more: str) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            **SOONER,
            "TSO_STACK": str(folder),
            "TSO_PRESETS": str(presets),
            "PYTHONPATH": str(ROOT),
            **more,
        }

    def tso(self, *arguments: str) -> str:
        """What a command prints; RuntimeError with all it said if it fails."""
        done = self.tried(*arguments)
        if done.returncode:
            raise RuntimeError(f"tso {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def tried(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A command of `tso`, whatever comes of it."""
        return subprocess.run(
            [sys.executable, "-c", COMMAND, *arguments],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def settings(self) -> StackSettings:
        """What the stack is."""
        return load_settings(self.folder)

    def api(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """The answer of Prefect's API: POST with a body, GET without, None if it is empty."""
        text = self.page(f"{self.settings.api}{path}", body, method)
        return json.loads(text) if text else None

    def page(self, url: str, body: Any = None, method: str | None = None) -> str:
        """What is at a URL of this machine."""
        return page_at(url, body, method)

    def deployment(self, name: str) -> str:
        """The id of the deployment `flow/name`."""
        return str(self.api(f"/deployments/name/{name}")["id"])

    def start(self, name: str, parameters: Mapping[str, Any]) -> str:
        """What the form's Submit sends to the deployment `flow/name`; the id of the flow run."""
        body = {"parameters": dict(parameters), "state": {"type": "SCHEDULED"}}
        made = self.api(f"/deployments/{self.deployment(name)}/create_flow_run", body)
        return str(made["id"])

    def flow_run(self, flow_run_id: str) -> dict[str, Any]:
        """A flow run as the server knows it."""
        found: dict[str, Any] = self.api(f"/flow_runs/{flow_run_id}")
        return found


@contextmanager
def stack_lab(preset: Path, store: str = "s3", **more: str) -> Iterator[Lab]:
    """A stack with `preset` in the place of the quickstart's; nothing of it is left afterwards."""
    # Not below a folder that only root may enter: the database runs as another user.
    folder = Path(tempfile.mkdtemp(prefix="tso-stack-"))
    folder.chmod(0o711)
    presets = folder / "presets"
    presets.mkdir()
    shutil.copy(preset, presets / "quickstart.yaml")
    lab = Lab(folder / "stack", presets, **more)
    try:
        lab.tso(
            "stack",
            "up",
            "--port",
            str(free_ports(len(PORT_OFFSETS))),
            "--store",
            store,
            "--gpus",
            "1",
        )
        lab.environment["PREFECT_API_URL"] = lab.settings.api
        yield lab
    finally:
        if (lab.folder / "stack.json").exists():
            lab.tried("stack", "down")
        shutil.rmtree(folder)


def free_ports(number: int) -> int:
    """The first of so many ports in a row that are free, below those that connections are given."""
    while True:
        first = random.randrange(20_000, 32_000)
        if all(is_free(port) for port in range(first, first + number)):
            return first
