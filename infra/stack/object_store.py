"""`python -m infra.stack.object_store FOLDER PORT`: the S3 server as one part of a stack."""

import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from infra.swift import SwiftServer

LOOK_SECONDS = 2.0
ANSWER_SECONDS = 10.0
"""Time that it gets for an answer."""
MISSES = 10
"""So many looks in a row without an answer mean that it is dead, not busy."""


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM; 1 if a process of the server ended, so that all are started anew."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    missed = 0
    with SwiftServer(Path(arguments[0]), int(arguments[1])) as server:
        while not ended.wait(LOOK_SECONDS):
            missed = 0 if server.healthy(ANSWER_SECONDS) else missed + 1
            if missed >= MISSES:
                sys.stderr.write("a process of the S3 server does not answer; it starts anew\n")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
