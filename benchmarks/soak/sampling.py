"""`python -m benchmarks.soak.sampling FOLDER`: one sampling stage behind an endpoint, by its door.

FOLDER/sampling.json says what to sample; store and work folder are in FOLDER, too.
"""

import json
import sys
from pathlib import Path
from typing import Any

from infra.place import counts_of, open_stage, side_of
from tasks.child import write_json
from tasks.config import CellSection
from tasks.model_matrix import Cell
from tasks.prompts import prompt_of
from tasks.records import Artifact, Checkpoint, Place, Prompt
from tasks.sample import sample_cell
from tasks.sources import Row
from tasks.storage_settings import StorageSettings
from tasks.tables import content, to_table


def sample(folder: Path, prompts: int, samples: int, seed: int, engine: dict[str, Any]) -> None:
    """Sample, then write counts and usage to FOLDER/done.json."""
    place = place_in(folder, seed)
    section = CellSection.model_validate({"engine": "openai", "samples": samples, **engine})
    cell = Cell(
        name="endpoint",
        settings=section,
        checkpoint=None,
        fingerprint=section.engine.fingerprint(section.model),
        origin="model",
    )
    artifact = sample_cell.fn(
        name="endpoint · train",
        prompts=committed_prompts(place, prompts),
        cell=cell,
        role="train",
        place=place,
    )
    found = {"counts": counts_of(place, artifact), "usage": side_of(place, artifact)}
    write_json(folder / "done.json", found)


def place_in(folder: Path, seed: int) -> Place:
    """A place for one stage; its models are names alone."""
    nothing = Checkpoint(sha256="", uri="", base="", step=0, tokenizer="", template="")
    return Place(
        run="soak",
        round_index=0,
        storage=StorageSettings(root=f"file://{folder}/store"),
        seed=seed,
        side_by_side=1,
        redo={},
        sft=nothing,
        reference=nothing,
        policies={},
        strengths={},
        shares={},
    )


def committed_prompts(place: Place, count: int) -> Artifact:
    rows = [
        prompt_of(Row(f"row {number}", {"prompt": f"Say {number}."})) for number in range(count)
    ]
    table = to_table(Prompt, rows)
    inputs = {"rows": content(Prompt, table)}
    stage = open_stage(place, "prompts", settings={}, inputs=inputs, semantics=1)
    return stage.commit(tables={"rows": (Prompt, table)})


if __name__ == "__main__":
    FOLDER = Path(sys.argv[1])
    sample(FOLDER, **json.loads((FOLDER / "sampling.json").read_text(encoding="utf-8")))
