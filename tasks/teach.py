"""Door: a round's prompts in, the same under each instruction of the teacher out."""

from dataclasses import replace

from infra.artifacts import open_artifact
from infra.place import note, open_stage, store_of
from infra.prefect.door import door
from infra.table_files import spooled
from tasks.config_training import TrainingSection
from tasks.records import Artifact, Place, Prompt
from tasks.references import TEACHER
from tasks.tables import from_table, to_table
from tasks.teachers._contract import instructed

SEMANTICS = 1


def teach(prompts: Artifact, training: TrainingSection, place: Place) -> dict[str, Artifact]:
    """What the reference is asked as the teacher, by the role of its scores; none without one."""
    if training.teacher is None:
        return {}
    return {
        f"{TEACHER}{name}": instruct(name, prompts, text, training.teacher.turn, place)
        for name, text in training.teacher.instructions.items()
    }


@door("teach")
def instruct(name: str, prompts: Artifact, instruction: str, turn: str, place: Place) -> Artifact:
    """`prompts` under one instruction; their ids stay, so that responses are found by them."""
    stage = open_stage(
        place,
        "teach",
        settings={"instruction": instruction, "turn": turn},
        inputs={"prompts": prompts.content},
        semantics=SEMANTICS,
    )
    if done := stage.finished():
        return note(place, f"teach-{name}", done.artifact)
    given = open_artifact(store_of(place), prompts)
    with given.opened() as table, spooled(Prompt) as spool:
        for rows in table.groups():
            asked = (
                replace(one, messages=instructed(one.messages, instruction, turn))
                for one in from_table(Prompt, rows)
            )
            spool.add(to_table(Prompt, asked))
        artifact = stage.commit(tables={"rows": spool}, deterministic=True)
    return note(place, f"teach-{name}", artifact)
