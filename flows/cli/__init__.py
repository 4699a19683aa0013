"""The command line `tso`."""


def main() -> None:
    """Run the command that the arguments name."""
    from flows.cli.app import run_app

    run_app()
