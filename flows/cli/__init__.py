"""The command line `tso`."""

import os


def main() -> None:
    """Run the command that the arguments name."""
    os.environ.setdefault("DO_NOT_TRACK", "1")  # read when Prefect is imported
    from flows.cli.app import run_app

    run_app()
