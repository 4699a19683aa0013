"""A run made by hand: one committed round whose texts hold what no terminal should be sent."""

from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from infra.place import note, open_stage
from infra.run_tree import RunTree
from infra.storage import open_store
from tasks.prompts import prompt_of
from tasks.records import Artifact, Place, PreferencePair, Prompt, Response
from tasks.sources import Row
from tasks.tables import to_table
from tests.small_config import small_place

ESCAPE = "\x1b[31mred\x9b2J\u202e"
"""Colours, clears the screen and turns the direction of writing, if a terminal is sent it."""
PROMPTS = [
    prompt_of(Row("x", {"prompt": f"Name {fruit} [bold].", "tags": [fruit]})) for fruit in "ab"
]
STEPS = [
    {"step": 1, "loss": 0.6931, "margin": 0.0, "other": []},
    {"step": 2, "loss": 0.5, "margin": 0.25, "other": []},
]


def response(number: int, prompt: Prompt, text: str) -> Response:
    return Response(
        response_id=f"r{number}",
        prompt_id=prompt.prompt_id,
        text=text,
        origin="model",
        cell="large",
        generator="g",
        sample_index=number % 2,
        seed=None,
        finish_reason="stop",
        token_ids=None,
        tokenizer=None,
        template=None,
    )


def pair(chosen: str, rejected: str, prompt: Prompt) -> PreferencePair:
    return PreferencePair(
        pair_id=f"{chosen}{rejected}",
        prompt_id=prompt.prompt_id,
        chosen_id=chosen,
        rejected_id=rejected,
        p_chosen=0.9,
        margin=0.8,
        weight=1.0,
        rule="all",
    )


def _left(
    place: Place, role: str, record: type | None, table: pa.Table, settings=None, others=(), **more
) -> Artifact:
    stage = open_stage(
        place,
        role.partition("-")[0],
        settings=settings or role,
        inputs={},
        semantics=1,
        fingerprints={"reference": "before"},
    )
    tables = {"rows": (record, table), **dict(others)}
    return note(place, role, stage.commit(tables=tables, **more))


def _artifacts(place: Place, steps) -> dict[str, Artifact]:
    answers = [
        response(index, PROMPTS[index // 2], f"answer {index} {ESCAPE}") for index in range(4)
    ]
    pairs = [pair("r0", "r1", PROMPTS[0]), pair("r3", "r2", PROMPTS[1])]
    return {
        "collect-train": _left(place, "collect-train", Prompt, to_table(Prompt, PROMPTS)),
        "sample-train-large": _left(
            place, "sample-train-large", Response, to_table(Response, answers)
        ),
        "pair": _left(
            place,
            "pair",
            PreferencePair,
            to_table(PreferencePair, pairs),
            others={"held_out": (PreferencePair, to_table(PreferencePair, []))},
            counts={"pairs": 2, "dropped_tie": 0},
        ),
        "train": _left(
            place,
            "train",
            None,
            pa.Table.from_pylist(steps),
            settings={"training": {"stop_when_clipped": None}, "steps": len(steps)},
            facts={"sha256": "w", "ended": "epochs"},
        ),
    }


def made_run(folder: Path, name: str = "made", rounds: int = 1, steps=STEPS) -> RunTree:
    """The run `name` in the store `folder`/store, its rounds all alike."""
    tree = RunTree(open_store(f"file://{folder}/store"), name)
    tree.write("frozen.json", {"base model": "sft", "tokenizer": "tok", "chat template": "tem"})
    tree.write("splits.json", {"held_out": "h"})
    for index in range(rounds):
        place = small_place(root=tree.store.root, run=name, round_index=index)
        tree.write_round(index, "config.json", {"config": {}, "redo": {}, "redo_by": []})
        artifacts = _artifacts(place, steps)
        tree.store.write(f"{tree.round_folder(index)}/report.html", b"<p>report")
        manifest = {
            "run": name,
            "round_index": index,
            "artifacts": {role: asdict(one) for role, one in artifacts.items()},
            "policy": {"sha256": f"policy {index}", "step": 2},
            "counts": {"collect-train": {"drawn": 2}, "pair": {"pairs": 2}},
            "figures": {},
            "gate": {"outcome": "promoted"},
            "usefulness": {"policy": 1.0, "other": 0.5},
            "report": tree.store.uri(f"{tree.round_folder(index)}/report.html"),
        }
        tree.write_round(index, "manifest.json", manifest)
    return tree
