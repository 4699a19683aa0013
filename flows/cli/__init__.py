"""The command line `tso`."""

import atexit
import os
import sys


def main() -> None:
    """Run the command that the arguments name, and end the process with its exit code."""
    os.environ.setdefault("DO_NOT_TRACK", "1")  # read when Prefect is imported
    from flows.cli.app import run_app

    try:
        run_app()
    except SystemExit as ended:
        _leave(ended.code)


def _leave(code: str | int | None) -> None:
    """End the process once everything is flushed, without taking the interpreter down.

    Libraries leave daemon threads. One that is inside C++ while the interpreter goes down makes
    the C++ runtime abort: now and then a finished command would end with 134.
    """
    atexit._run_exitfuncs()
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))
