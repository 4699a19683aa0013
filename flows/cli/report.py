"""`tso report`: the page of a run, or of one of its rounds, made again as a local file."""

import sys
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.cli.terminal import console
from infra.run_tree import REPORT, RunTree
from infra.storage import Store, open_store
from infra.work import work_root
from tasks.errors import ConfigError, StorageError
from tasks.refresh import report_page, run_page
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
    """Write the page of a round, or of the whole run if none is named, and print its path.

    `opened` says whether a browser shows it; None: if a person is at the terminal. The pages of the
    rounds go with that of the run, unless `out` names one file for it.
    """
    config, _ = resolve(preset, overrides)
    store = open_store(config.storage)
    rounds = len(committed_rounds(store, name))
    if not rounds:
        raise ConfigError(f"run {name!r} has no committed round in {store.root}")
    if round_index is not None:
        usual = work_root() / "reports" / f"{name}-round-{round_index}.html"
        path = (out or usual).absolute()
        _write(path, report_page(*committed_round(store, name, round_index), linked=False))
    else:
        tree = RunTree(store, name)
        folder = work_root() / "reports" / name
        path = (out or folder / REPORT).absolute()
        _write(path, run_page(tree, linked=out is None))
        if out is None:
            _copy_rounds(store, tree, folder, rounds)
    console().print(str(path), soft_wrap=True)
    if sys.stdout.isatty() if opened is None else opened:
        webbrowser.open(path.as_uri())


def _copy_rounds(store: Store, tree: RunTree, folder: Path, rounds: int) -> None:
    """The pages of the rounds as they were written, where the run's page looks for them."""
    for index in range(rounds):
        path = f"{tree.round_folder(index)}/{REPORT}"
        page = store.read(path).decode()
        _write(folder / path.removeprefix(f"{tree.folder}/"), page)


def _write(path: Path, page: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written ({error}); give another with --out"
        ) from error
