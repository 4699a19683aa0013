"""`python -m flows.quickstart [models]`: make the world, teach its models, run three rounds.

Everything lies in work/quickstart; a second call finds it there and does nothing twice. With
`models` no round is run: for those that are started on a server.
"""

import os
import sys
from pathlib import Path

from rich.console import Console

FOLDER = Path("work") / "quickstart"
ROUNDS = 3


def main() -> None:
    """Prepare what is missing, then do what `tso run quickstart` does."""
    os.environ.setdefault("TSO_WORK", str(Path("work").absolute()))
    prepare(FOLDER)
    if sys.argv[1:] == ["models"]:
        return
    sys.argv = ["tso", "run", "quickstart", "--preset", "quickstart", "--until", str(ROUNDS)]
    from flows.cli import main as run_command

    run_command()


def prepare(folder: Path) -> None:
    """Write the world into `folder` and teach its models there, unless that is done."""
    from flows.quickstart.teach import teach_models
    from flows.quickstart.write import write_world

    console = Console(stderr=True)
    console.print(f"quickstart: writing prompts and demonstrations to {folder}")
    files = write_world(folder / "world")
    console.print("quickstart: teaching three small models (once, some minutes)")
    teach_models(files, folder / "models")


if __name__ == "__main__":
    main()
