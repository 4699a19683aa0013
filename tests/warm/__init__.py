"""Children of whole rounds are forked from a process that has the large libraries loaded.

A child spends four of its five seconds on loading torch and transformers, and the rounds of the
suite have hundreds of children. What is forked does the same work by the same code under the same
supervisor. Tests of starting, killing and limiting children start them as the project does.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.processes import children

FOLDER = Path(__file__).parent
START_SECONDS = 120.0
POLL_SECONDS = 0.05
_commands: list[list[str]] = []
"""What stands in for the interpreter while there is a server."""


@contextmanager
def serving(folder: Path) -> Iterator[None]:
    """A server in `folder` that forks children."""
    path = folder / "warm.sock"
    command = [sys.executable, "-P", str(FOLDER / "server.py"), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as server:  # it ends with its input
        deadline = time.monotonic() + START_SECONDS
        while not path.exists():
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server of warm children did not start: {command}")
            time.sleep(POLL_SECONDS)
        _commands.append([sys.executable, "-ISE", str(FOLDER / "stand_in.py"), str(path)])
        yield
        _commands.pop()


@contextmanager
def warm_start() -> Iterator[None]:
    """Children of our own interpreter are forked by the server, where one was started."""
    with pytest.MonkeyPatch.context() as patch:
        for command in _commands:
            patch.setattr(children, "INTERPRETER", command)
        yield
