"""`tso report`: a round's report made again from its stages, as a local file."""

import sys
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.cli.terminal import console
from infra.storage import open_store
from infra.work import work_root
from tasks.errors import ConfigError, StorageError
from tasks.refresh import report_page
from tasks.rounds import committed_round, committed_rounds, resolve


def write_report(
    name: str,
    round_index: int | None,
    preset: str,
    overrides: Mapping[str, Any],
    *,
    opened: bool | None,
    out: Path | None,
) -> None:
    """Write the report of a round (the newest if none is named) and print its path.

    `opened` says whether a browser shows it; None: if a person is at the terminal.
    """
    config, _ = resolve(preset, overrides)
    store = open_store(config.storage)
    if round_index is None:
        round_index = len(committed_rounds(store, name)) - 1
    if round_index < 0:
        raise ConfigError(f"run {name!r} has no committed round in {store.root}")
    page = report_page(*committed_round(store, name, round_index))
    path = (out or work_root() / "reports" / f"{name}-round-{round_index}.html").absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written ({error}); give another with --out"
        ) from error
    console().print(str(path), soft_wrap=True)
    if sys.stdout.isatty() if opened is None else opened:
        webbrowser.open(path.as_uri())
