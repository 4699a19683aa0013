"""The parts of the study: each made once, in a folder named by what it is made of.

A part is finished when its part.json is there; a trainer that was stopped goes on from its
checkpoint, a scorer with the shards that are missing. A changed trainer does not undo a part:
each notes the commit that made it, and removing its folder has it made again.
"""

import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.measurement import commit
from infra.arrow_files import read_arrow, write_arrow
from infra.processes import Limits, run_child
from infra.progress import progress
from tasks import child
from tasks.canonical import digest
from tasks.errors import DataError
from tasks.weights import weights_digest

LIMITS = Limits(deadline_seconds=7200, stalled_seconds=900)
SHARD = 1000
FINISHED = "part.json"


def part(root: Path, name: str, made_of: Any, make: Callable[[Path], Mapping[str, Any]]) -> Path:
    """The folder of the part `name` made of `made_of`; `make(folder)` is called unless it is done.

    What `make` returns goes to part.json, with the seconds of the last attempt and the commit.
    """
    folder = root / f"{name}-{digest(made_of)[:12]}"
    if not (folder / FINISHED).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        notes = dict(make(folder))
        notes |= {"seconds": round(time.monotonic() - started, 1), "commit": commit()}
        child.write_json(folder / FINISHED, notes)
    return folder


def notes_of(folder: Path) -> dict[str, Any]:
    """What was noted about a finished part."""
    notes: dict[str, Any] = json.loads((folder / FINISHED).read_text(encoding="utf-8"))
    return notes


def last_steps(folder: Path, number: int = 1) -> list[dict[str, Any]]:
    """The metrics of the last optimizer steps of a training part."""
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[-number:]]


def trained(
    root: Path,
    name: str,
    model: Path,
    examples: pa.Table,
    spec: Mapping[str, Any],
    threads: int,
    device: str = "cpu",
) -> Path:
    """The part that trains `model` on `examples`; its folder holds model/ and metrics.jsonl."""

    def make(folder: Path) -> Mapping[str, Any]:
        if not (folder / "examples.arrow").is_file():
            write_arrow(examples, folder / "examples.arrow")
        job = {"job": "train", "stage": name, "examples": "examples.arrow", **spec}
        result = _run(folder, job | _where(model, threads, device), name)
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        (folder / "examples.arrow").unlink()
        return result

    return part(root, name, [spec, weights_digest(model), content(examples)], make)


def scored(
    root: Path, name: str, model: Path, rows: pa.Table, threads: int, device: str = "cpu"
) -> tuple[Path, dict[str, list[float]]]:
    """The part that scores `rows` by `model`, and token log-probabilities by response id."""
    spans = {
        index: (first, min(first + SHARD, len(rows)))
        for index, first in enumerate(range(0, len(rows), SHARD))
    }

    def make(folder: Path) -> Mapping[str, Any]:
        write_arrow(rows, folder / "rows.arrow")
        left = {one: span for one, span in spans.items() if not _shard(folder, one).is_file()}
        job = {
            "job": "score", "stage": name, "rows": "rows.arrow", "shards": left,
            "reference": weights_digest(model),
        }  # fmt: skip
        return _run(folder, job | _where(model, threads, device), name)

    folder = part(root, name, [weights_digest(model), content(rows)], make)
    table = pa.concat_tables([read_arrow(_shard(folder, index)) for index in spans])
    if table.column("response_id").to_pylist() != rows.column("response_id").to_pylist():
        raise DataError(f"the shards in {folder} are not those of its rows; remove the folder")
    return folder, dict(
        zip(
            table.column("response_id").to_pylist(),
            table.column("token_logps").to_pylist(),
            strict=True,
        )
    )


def content(table: pa.Table) -> str:
    """A digest of the rows of `table`."""
    return digest(table.to_pydict())


def _shard(folder: Path, index: int) -> Path:
    return folder / "shards" / f"{index:05d}.arrow"


def _where(model: Path, threads: int, device: str) -> dict[str, Any]:
    return {"model": str(model.resolve()), "device": device, "threads": threads}


def _run(folder: Path, job: Mapping[str, Any], name: str) -> dict[str, Any]:
    child.write_json(folder / child.SPEC, dict(job))
    with progress.verb(name, total=None) as bar:

        def on_event(event: Mapping[str, Any]) -> None:
            if event["event"] == "step":
                bar.at(event["step"], event["steps"])
            elif event["event"] == "shard":
                bar.advance(event["rows"])

        return run_child("tasks.training", folder, limits=LIMITS, on_event=on_event)
