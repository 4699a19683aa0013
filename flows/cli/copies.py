"""`tso export` and `tso import`: a run with all that it names, between stores or in a file."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from flows.cli.terminal import bytes_shown, console
from infra.archives import is_archive, packed, unpacked
from infra.reach import BESIDE, runs_of
from infra.run_copies import Copied, How, copy_run
from infra.storage import Store, open_store
from tasks.config import storage_of
from tasks.errors import ConfigError
from tasks.rounds import resolve
from tasks.storage_settings import StorageSettings

SAY_EVERY = 10
"""Stages between two lines about how far a copy is."""


def export_run(
    name: str,
    where: str,
    preset: str,
    overrides: Mapping[str, Any],
    other: Mapping[str, Any],
    how: How,
) -> None:
    """Copy a run out of the preset's store."""
    config, _ = resolve(preset, overrides)
    source, out = open_store(config.storage), console()
    with _written(where, config.storage, other) as target:
        copied = _copied(out, source, target, name, how)
    out.print(f"{name}: {_said(copied)} to {where}", soft_wrap=True)


def import_run(
    where: str,
    name: str,
    preset: str,
    overrides: Mapping[str, Any],
    other: Mapping[str, Any],
    how: How,
) -> None:
    """Copy a run into the preset's store, and say how to go on."""
    config, _ = resolve(preset, overrides)
    target, out = open_store(config.storage), console()
    with _read(where, config.storage, other) as source:
        run = name or _only_run(source, where)
        copied = _copied(out, source, target, run, how)
    out.print(f"{run}: {_said(copied)} from {where}", soft_wrap=True)
    out.print(f"go on with: tso run {run} --preset {preset}", soft_wrap=True)


@contextmanager
def _written(where: str, own: StorageSettings, other: Mapping[str, Any]) -> Iterator[Store]:
    if is_archive(where):
        with packed(Path(where)) as store:
            yield store
    else:
        yield open_store(_other(where, own, other))


@contextmanager
def _read(where: str, own: StorageSettings, other: Mapping[str, Any]) -> Iterator[Store]:
    if is_archive(where):
        with unpacked(Path(where)) as store:
            yield store
    else:
        yield open_store(_other(where, own, other))


def _other(where: str, own: StorageSettings, other: Mapping[str, Any]) -> StorageSettings:
    """How the other store is reached: as the preset's, but for what is said."""
    return storage_of({**asdict(own), **other, "root": where})


def _only_run(source: Store, where: str) -> str:
    runs = [run for run in runs_of(source) if not run.endswith(BESIDE)]
    if len(runs) != 1:
        listed = ", ".join(runs) or "none"
        raise ConfigError(f"{where} has the runs: {listed}; say which with --run NAME")
    return runs[0]


def _copied(out: Console, source: Store, target: Store, run: str, how: How) -> Copied:
    def done(number: int, total: int) -> None:
        if number % SAY_EVERY == 0 or number == total:
            out.print(f"{number:,} of {total:,} stages")

    return copy_run(source, target, run, how, done)


def _said(copied: Copied) -> str:
    if not copied.objects:
        return "everything is there already; nothing was copied"
    return (
        f"{copied.stages:,} stages, {copied.objects:,} objects copied ({bytes_shown(copied.size)})"
    )
