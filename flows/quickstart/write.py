"""Writes the world to a folder: the files that a user would bring."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from flows.quickstart.data import demonstration_rows, human_rows, make_world, prompt_rows
from flows.quickstart.faults import FAULTS
from flows.quickstart.models import make_tokenizer, save_untaught


class WorldFiles(NamedTuple):
    """Where everything of a world lies."""

    prompts: Path
    """Prompts of all splits."""
    human: Path
    """Responses that people wrote."""
    demonstrations: dict[str, Path]
    """What each model is taught with, by model."""
    untaught: dict[str, Path]
    """Model folders with initial weights and tokenizer, by model."""


def write_world(folder: Path, seed: int = 0) -> WorldFiles:
    """Write the world of `seed`; files that are there are replaced by equal ones."""
    folder.mkdir(parents=True, exist_ok=True)
    files = files_of(folder)
    world = make_world(seed)
    _write_rows(files.prompts, prompt_rows(world))
    _write_rows(files.human, human_rows(world, seed))
    tokenizer = make_tokenizer(world)
    for model in FAULTS:
        _write_rows(files.demonstrations[model], demonstration_rows(world, model, seed))
        save_untaught(files.untaught[model], tokenizer, model)
    return files


def files_of(folder: Path) -> WorldFiles:
    """The places of a world in `folder`, written or not."""
    return WorldFiles(
        prompts=folder / "prompts.jsonl",
        human=folder / "human.jsonl",
        demonstrations={model: folder / f"demonstrations-{model}.jsonl" for model in FAULTS},
        untaught={model: folder / "untaught" / model for model in FAULTS},
    )


def _write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")
