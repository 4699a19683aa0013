"""`python -m tests.transforms.transform_program FOLDER URL`: an editor at URL is asked about pairs.

Store and work lie in FOLDER; the last line of its output is the content of the pairs that came out.
"""

import sys
from typing import Any

from infra.place import open_stage
from tasks.records import Artifact, Feedback, Preference, PreferencePair, Prompt, Response, Verdict
from tasks.tables import content, to_table
from tasks.transform import transformed
from tasks.variants import load_variant
from tests.opinion_makers import pair, prompt, response
from tests.small_config import small_place

PAIRS = 20


def committed(place: Any, name: str, record: type, rows: list[Any], **tables: Any) -> Artifact:
    """Rows as the main table of a finished stage; further tables as (record, rows) by name."""
    table = to_table(record, rows)
    inputs = {"rows": content(record, table)}
    stage = open_stage(place, "test", settings=name, inputs=inputs, semantics=1)
    more = {key: (kind, to_table(kind, some)) for key, (kind, some) in tables.items()}
    return stage.commit(tables={"rows": (record, table), **more})


def pairs_of(place: Any, rows: list[Any], held_out: list[Any], **more: Any) -> Artifact:
    """The artifact of a pair stage."""
    beside = {"held_out": (PreferencePair, held_out), "prior": (Verdict, [])}
    tables = {**beside, "preferences": (Preference, []), **more}
    return committed(place, "pairs", PreferencePair, rows, **tables)


def main(folder: str, url: str) -> None:
    """Edit the rejected response of every pair."""
    place = small_place(root=f"file://{folder}/store", round_index=0)
    names = [f"p{number:02}" for number in range(PAIRS)]
    prompts = [prompt(prompt_id=name, text=f"Ask {name}.") for name in names]
    answers = [
        response(f"{side}-{name}", f"{side} fig of {name}", prompt_id=name)
        for name in names
        for side in ("ripe", "old")
    ]
    rows = [pair(f"ripe-{name}", f"old-{name}", prompt_id=name) for name in names]
    writer = {"engine": "openai", "model": "m", "base_url": url, "concurrency": 2}
    editor = load_variant("tasks.transforms", "edit_rejected", writer=writer, max_growth=9)
    feedback = Feedback(responses=[committed(place, "answers", Response, answers)], verdicts=[])
    given = (committed(place, "prompts", Prompt, prompts), feedback, pairs_of(place, rows, []))
    _, made = transformed.fn("0-edit_rejected", *given, editor, place)
    sys.stdout.write(f"{made.content}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
