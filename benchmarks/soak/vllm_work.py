"""`python -m benchmarks.soak.vllm_work FOLDER`: sample from a vLLM server, then judge with one.

FOLDER/work.json says how much. Calls that reach the servers are noted in FOLDER/calls.log.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.sampling_throughput.world import SERVER, World
from benchmarks.soak import counted_vllm
from infra.place import counts_of
from infra.vllm import command
from tasks.child import write_json
from tasks.comparison_rules.all import All
from tasks.judge import judge_with
from tasks.sample import sample_cell

COMMAND = (counted_vllm.__file__,)


def work(folder: Path, prompts: int, samples: int, width: int) -> None:
    """Do what is left of the work, then write counts to FOLDER/done.json."""
    command.ENTRY_POINT = (*COMMAND, str(folder / "calls.log"))
    server = replace(SERVER, max_num_seqs=32)
    world = World(folder=folder, samples=samples, server=server)
    place, asked = world.place, world.prompts("soak", prompts)
    given = world.committed(asked)
    settings: dict[str, Any] = {"name": "policy · train", "prompts": given, "place": place}
    drawn = sample_cell.fn(cell=world.cell, role="train", **settings)
    judged = judge_with.fn(
        name="main · train", prompts=given, responses=[world.answered(asked)],
        judge=world.judge(width), comparisons=All(), place=place,
    )  # fmt: skip
    found = {"sampled": counts_of(place, drawn), "judged": counts_of(place, judged)}
    write_json(folder / "done.json", found)


if __name__ == "__main__":
    FOLDER = Path(sys.argv[1])
    work(FOLDER, **json.loads((FOLDER / "work.json").read_text(encoding="utf-8")))
