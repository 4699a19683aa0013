"""`python server.py SOCKET`: forks a child for each connection; ends with its standard input.

A connection brings the arguments of a `python -P -m MODULE ...` with its folder, environment and
output. It is told the child's exit code, and the child is gone as soon as the connection is.
"""

import json
import os
import runpy
import selectors
import signal
import socket
import struct
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

LARGEST_JOB = 1 << 20
"""Bytes."""
KILLED = 137


def main(path: Path) -> None:
    """Load what children load, then fork them."""
    load()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path.with_suffix(".new")))
    listening.listen(64)
    path.with_suffix(".new").rename(path)
    with selectors.DefaultSelector() as selector:
        selector.register(listening, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while all(key.fileobj is listening for key, _ in selector.select()):
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                os._exit(serve(connection))
            connection.close()


def load() -> None:
    """The libraries of children, without what `tasks/child.py` leaves out."""
    sys.modules["sklearn"] = None  # type: ignore[assignment]
    import torch  # noqa: F401
    import transformers.generation.utils
    import transformers.models.auto.auto_factory
    import transformers.models.llama.modeling_llama  # noqa: F401

    del sys.modules["sklearn"]


def serve(connection: socket.socket) -> int:
    """Become the child that the connection asks for, to its end; 0 once its exit code is told."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text, outputs, _, _ = socket.recv_fds(connection, LARGEST_JOB, 2)
    job: dict[str, Any] = json.loads(text)
    os.setsid()
    for number, output in enumerate(outputs, 1):
        os.dup2(output, number)
        os.close(output)
    os.environ.clear()
    os.environ.update(job["environment"])
    os.chdir(job["folder"])
    os.nice(job["nice"] - os.nice(0))
    connection.sendall(struct.pack("i", os.getpid()))
    threading.Thread(target=end_with, args=[connection], daemon=True).start()
    code = run(job["arguments"])
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(struct.pack("i", code))
    return 0


def end_with(connection: socket.socket) -> None:
    """The stand-in says nothing; when it is gone, killed or not, so is the child."""
    connection.recv(1)
    os._exit(KILLED)


def run(arguments: list[str]) -> int:
    """What `python -P -m MODULE …` would exit with."""
    sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.argv = arguments
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main(Path(sys.argv[1]))
