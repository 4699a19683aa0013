"""Part of the collect door: responses that repeat an evaluation set are kept out of training."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from infra.artifacts import Finished, open_artifact
from infra.place import note, open_stage, store_of
from infra.progress import progress
from infra.run_tree import RunTree
from tasks.canonical import digest
from tasks.decontamination.screen import BACKGROUND
from tasks.decontamination.settings import DecontaminationSettings
from tasks.decontamination.texts import (
    Contaminated,
    EvaluationText,
    counted,
    found_in,
    screen_of_responses,
)
from tasks.records import Artifact, Feedback, Place, Response, Verdict
from tasks.tables import from_table, to_table
from tasks.token_logps import TABLE
from tasks.variants import settings_of

SEMANTICS = 1
POOL = "collect-pool"
"""Role of the pool stage, which holds the evaluation texts."""


def clean_responses(
    responses: Sequence[Artifact], settings: DecontaminationSettings, place: Place
) -> list[Artifact]:
    """`responses` of cells without those that repeat an evaluation text; most often as they are."""
    cleaned = []
    for artifact in responses:
        given = open_artifact(store_of(place), artifact)
        gone = _found(given, settings, place)
        if gone:
            role = f"sample-train-{given.facts['cell']}"
            artifact = note(place, role, _without(given, gone, place))
        cleaned.append(artifact)
    return cleaned


def clean_written(feedback: Feedback, settings: DecontaminationSettings, place: Place) -> Feedback:
    """`feedback` without responses of people that repeat an evaluation text.

    What people said about these goes with them.
    """
    responses, lost = [], []
    for artifact in feedback.responses:
        given = open_artifact(store_of(place), artifact)
        gone = [] if "cell" in given.facts else _found(given, settings, place)
        if gone:
            artifact = note(place, "annotate-written", _without(given, gone, place))
        responses.append(artifact)
        lost += gone
    verdicts = [_verdicts_without(one, lost, place) for one in feedback.verdicts if lost]
    return replace(feedback, responses=responses, verdicts=verdicts or feedback.verdicts)


def _found(given: Finished, settings: DecontaminationSettings, place: Place) -> list[str]:
    """Ids of the responses that repeat an evaluation text; looked for once, and kept."""
    pointer = RunTree(store_of(place), place.run).pointer(place.round_index, POOL)
    pool = Artifact(**pointer or {})
    stage = open_stage(
        place,
        "collect",
        settings={"role": "contaminated", "decontamination": settings_of(settings)},
        inputs={"responses": given.artifact.content, "texts": _texts_content(pool, place)},
        semantics=SEMANTICS,
    )
    done = stage.finished()
    if done is None:
        found = _look(given, pool, settings, place)
        stage.commit(
            tables={"rows": (Contaminated, to_table(Contaminated, found))},
            counts={"responses": given.artifact.rows, **counted(found)},
            deterministic=True,
        )
        return [one.row_id for one in found]
    return [str(one) for one in done.table().column("row_id").to_pylist()]


def _texts_content(pool: Artifact, place: Place) -> str:
    entry = open_artifact(store_of(place), pool).manifest["tables"]["texts"]
    return str(entry["content"])


def _look(
    given: Finished, pool: Artifact, settings: DecontaminationSettings, place: Place
) -> list[Contaminated]:
    table = open_artifact(store_of(place), pool).table("texts")
    texts = list(from_table(EvaluationText, table))
    with given.opened() as rows:
        step = max(1, rows.num_rows // BACKGROUND)
        sample = (text for _, some in _in_parts(rows.groups()) for text in some[::step])
        screen = screen_of_responses(texts, sample, settings)
        found = [
            one for ids, some in _in_parts(rows.groups()) for one in found_in(ids, some, screen)
        ]
    if found:
        said = ", ".join(f"{number} {kind}" for kind, number in counted(found).items())
        progress.note(f"responses that repeat evaluation texts are kept out: {said}")
    return found


def _in_parts(groups: Iterable[pa.Table]) -> Iterator[tuple[list[str], list[str]]]:
    for rows in groups:
        yield rows.column("response_id").to_pylist(), rows.column("text").to_pylist()


def _without(given: Finished, gone: Sequence[str], place: Place) -> Artifact:
    """The responses of a stage but those that are `gone`, as a stage of their own."""
    stage = open_stage(
        place,
        given.manifest["key"]["verb"],
        settings={"part": "clean"},
        inputs={"of": given.artifact.content, "from": given.artifact.stage},
        fingerprints={"gone": digest(sorted(gone))},
        semantics=SEMANTICS,
    )
    if done := stage.finished():
        return done.artifact
    names = {"rows": Response} | ({TABLE: None} if TABLE in given.manifest["tables"] else {})
    return stage.commit(
        tables={
            name: (record, _but(given.table(name), "response_id", gone))
            for name, record in names.items()
        },
        counts={**given.counts, "contaminated": len(gone)},
        facts=given.facts,
        deterministic=True,
    )


def _verdicts_without(verdicts: Artifact, gone: Sequence[str], place: Place) -> Artifact:
    given = open_artifact(store_of(place), verdicts)
    table = _but(_but(given.table(), "a_id", gone), "b_id", gone)
    if table.num_rows == verdicts.rows:
        return verdicts
    stage = open_stage(
        place,
        "annotate",
        settings={"part": "clean"},
        inputs={"of": verdicts.content},
        fingerprints={"gone": digest(sorted(gone))},
        semantics=SEMANTICS,
    )
    if done := stage.finished():
        return done.artifact
    return stage.commit(tables={"rows": (Verdict, table)}, deterministic=True)


def _but(table: pa.Table, column: str, gone: Sequence[str]) -> pa.Table:
    return table.filter(pc.invert(pc.is_in(table.column(column), pa.array(gone, pa.string()))))
