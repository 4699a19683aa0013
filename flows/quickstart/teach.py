"""Teaches the quickstart's models from scratch with the product's own trainer, once."""

import json
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from flows.quickstart.faults import FAULTS
from flows.quickstart.write import WorldFiles
from infra.arrow_files import write_arrow
from infra.processes import Limits, run_child
from infra.progress import progress
from infra.rows import read_rows
from tasks import child
from tasks.canonical import digest
from tasks.pair_examples import response_example
from tasks.records import TrainingExample
from tasks.sources import Source
from tasks.tables import to_table
from tasks.tokens import load_tokenizer, render, response_ids
from tasks.weights import file_digest, weights_digest

LEARNING = Path(__file__).with_name("learning.yaml")
STAMP = "taught.json"
SIDE_BY_SIDE = 2
LIMITS = Limits(deadline_seconds=3600, stalled_seconds=600)


def teach_models(files: WorldFiles, folder: Path) -> dict[str, Path]:
    """The taught models' folders by name, below `folder`; what is taught already is kept."""
    settings = yaml.safe_load(LEARNING.read_text(encoding="utf-8"))["teaching"]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        taught = pool.map(lambda model: _teach(model, files, folder, settings), FAULTS)
        return dict(zip(FAULTS, taught, strict=True))


def _teach(model: str, files: WorldFiles, folder: Path, settings: Mapping[str, Any]) -> Path:
    """Teach one model, unless its stamp says that just this was done."""
    untaught, rows = files.untaught[model], files.demonstrations[model]
    work = digest([dict(settings), weights_digest(untaught), file_digest(rows)])
    target = folder / model
    if _stamp(target) == work:
        return target
    workdir = folder / "work" / f"{model}-{work[:12]}"
    workdir.mkdir(parents=True, exist_ok=True)
    examples = to_table(TrainingExample, _examples(rows, untaught))
    write_arrow(examples, workdir / "examples.arrow")
    child.write_json(workdir / child.SPEC, _spec(model, untaught, settings))
    with progress.verb(f"teach · {model}", total=None) as bar:

        def on_event(event: Mapping[str, Any]) -> None:
            if event["event"] == "step":
                bar.at(event["step"], event["steps"])

        run_child("tasks.training", workdir, limits=LIMITS, on_event=on_event)
    shutil.rmtree(target, ignore_errors=True)
    (workdir / "model").rename(target)
    child.write_json(target / STAMP, {"work": work})
    shutil.rmtree(workdir)
    return target


def _stamp(target: Path) -> str | None:
    """What the model in `target` was taught with, or None if there is none."""
    path = target / STAMP
    return json.loads(path.read_text(encoding="utf-8"))["work"] if path.is_file() else None


def _examples(rows: Path, model: Path) -> Iterator[TrainingExample]:
    tokenizer = load_tokenizer(model)
    for number, row in enumerate(read_rows(Source(file=str(rows)))):
        yield response_example(
            example_id=str(number),
            prompt_id=str(number),
            prompt_ids=render(tokenizer, row.fields["messages"]),
            response_ids=response_ids(tokenizer, row.fields["response"], finished=True),
        )


def _spec(model: str, untaught: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    loss = settings["loss"]
    optimiser = {key: value for key, value in settings.items() if key != "loss"}
    return {
        "job": "train",
        "stage": f"teach-{model}",
        "model": str(untaught.resolve()),
        "examples": "examples.arrow",
        "loss": loss,
        "settings": optimiser,
        "seed": sorted(FAULTS).index(model),
        "device": "cpu",
        "threads": 1,
    }
