"""Part of the judge door: verdicts that exist already."""

from typing import Any

from infra.place import contents, open_stage, rows_about
from infra.rows import file_digests, read_tables
from tasks.conversations import About
from tasks.opinions import Annotator
from tasks.recorded_thumbs import said_in
from tasks.recorded_verdicts import Answered, texts_of
from tasks.records import Artifact, Place, Verdict
from tasks.responses import by_id
from tasks.tables import counted, to_table
from tasks.variants import settings_of

SEMANTICS = 1


def recorded(
    name: str, prompts: Artifact, responses: list[Artifact], judge: Any, place: Place
) -> Artifact:
    """The verdicts of tables on these responses; comparison rules have no say in them."""
    annotator = Annotator(name=name, kind=judge.by, version=judge.version())
    stage = open_stage(
        place,
        "judge",
        settings={"judge": settings_of(judge), "annotator": annotator.name},
        inputs={"prompts": prompts.content, **contents("responses", responses)},
        fingerprints=file_digests([*judge.files, *judge.texts]),
        semantics=SEMANTICS,
    )
    if done := stage.finished():
        return done.artifact
    rows = list(read_tables(judge.files))
    about = About(rows)
    asked, answers = rows_about(place, prompts, responses, about, about.response_ids)
    answered = Answered(asked, by_id(answers))
    texts = texts_of(read_tables(judge.texts), answered) if judge.texts else None
    found = said_in(rows, answered, annotator, texts)
    table = to_table(Verdict, found.verdicts)
    outcomes = counted(table.column("outcome").to_pylist())
    counts = {"verdicts": table.num_rows, **outcomes, **found.counts}
    return stage.commit(tables={"rows": (Verdict, table)}, counts=counts, deterministic=True)
