"""Door: people confirm or correct a budgeted part of the comparisons, and write responses.

`choose` makes the queue, `annotate` takes the answers.
`assess` then measures all feedback and ends the round before training where it is not good enough.
"""

import logging
from dataclasses import asdict
from typing import Any

from infra.embedding import embeddings
from infra.models import local_folder
from infra.place import contents, note, open_stage, records_of, store_of, table_of
from infra.prefect.door import door
from infra.rows import file_digests
from infra.run_tree import RunTree
from tasks.agreement.figures import QualityFigure
from tasks.agreement.floors import breaches, why_stopped
from tasks.agreement.settings import AGREEMENT
from tasks.annotate_people import digests_of, people_say, reads_verdicts, said_to
from tasks.annotate_quality import drift_of, measured_rows, tables_of
from tasks.annotate_queue import Given, queue_of
from tasks.config import AnnotateSection, Config
from tasks.diversity.measure import (
    drawn_prompts,
)
from tasks.errors import DataError
from tasks.model_matrix import own_cells
from tasks.records import Artifact, Feedback, Place, Response
from tasks.variants import settings_of
from tasks.weights import weights_digest

SEMANTICS = 2

_log = logging.getLogger(__name__)


@door("annotate")
def choose(
    prompts: Artifact,
    responses: list[Artifact],
    verdicts: list[Artifact],
    settings: AnnotateSection,
    comparisons: Any,
    place: Place,
) -> Artifact | None:
    """The queue: the comparisons that are worth a person's minute, within the budget.

    Tables: rows (items, in their order), prompts and responses (what they show). None where nobody
    is asked anything.
    """
    if not settings.asks_people:
        return None
    queue = settings.queue
    stage = open_stage(
        place,
        "annotate",
        settings={
            "part": "queue",
            "budget": settings.budget,
            "queue": settings_of(queue),
            "comparisons": settings_of(comparisons),
            "strengths": dict(place.strengths),
            "min_distance": place.min_distance,
        },
        inputs={
            "prompts": prompts.content,
            **contents("responses", responses),
            **contents("verdicts", verdicts),
        },
        seeds={"seed": place.seed},
        fingerprints=file_digests([*queue.known_files, *settings.verdict_files]),
        semantics=SEMANTICS,
    )
    if done := stage.finished():
        artifact = done.artifact
    else:
        given = Given(prompts, responses, verdicts, comparisons, settings, place)
        with queue_of(given) as made:
            artifact = stage.commit(**made, deterministic=True)
    note(place, "annotate-queue", artifact)
    return artifact if artifact.rows else None


@door("annotate")
def annotate(
    prompts: Artifact,
    responses: list[Artifact],
    verdicts: list[Artifact],
    items: Artifact | None,
    settings: AnnotateSection,
    comparisons: Any,
    place: Place,
) -> Feedback:
    """Add what people say and write: their answers to `items`, and what files hold.

    Tables: rows (verdicts), responses (that people wrote), answers, late (answers to earlier
    rounds).
    """
    given = Given(prompts, responses, verdicts, comparisons, settings, place)
    said = said_to(items, given)
    stage = open_stage(
        place,
        "annotate",
        settings={
            "annotate": settings_of(settings),
            "comparisons": settings_of(comparisons),
            "strengths": dict(place.strengths),
            "min_distance": place.min_distance,
        },
        inputs={
            "prompts": prompts.content,
            **contents("responses", responses),
            **(contents("verdicts", verdicts) if reads_verdicts(given) else {}),
            **({"items": items.content, **digests_of(said)} if items else {}),
        },
        seeds={"seed": place.seed},
        fingerprints=file_digests([*settings.verdict_files, *settings.response_files]),
        semantics=SEMANTICS,
    )
    if done := stage.finished():
        artifact = done.artifact
    else:
        with people_say(said, given) as made:
            artifact = stage.commit(**made, deterministic=True)
    note(place, "annotate", artifact)
    written = _written_artifact(artifact, place)
    return Feedback(responses=[*responses, *written], verdicts=[*verdicts, artifact], items=items)


def _written_artifact(artifact: Artifact, place: Place) -> list[Artifact]:
    """The written responses as an artifact of their own, if there are any."""
    table = table_of(place, artifact, "responses")
    if not table.num_rows:
        return []
    stage = open_stage(
        place,
        "annotate",
        settings={"part": "written"},
        inputs={"annotate": artifact.content, "of": artifact.uri.rsplit("/", 2)[-2]},
        semantics=SEMANTICS,
    )
    if done := stage.finished():
        return [note(place, "annotate-written", done.artifact)]
    committed = stage.commit(tables={"rows": (Response, table)}, deterministic=True)
    return [note(place, "annotate-written", committed)]


@door("assess", retries=1)
def assess(feedback: Feedback, config: Config, place: Place) -> Artifact:
    """Measure judges, people and the diversity of responses: rows, diversity and prompts.

    Raises DataError where a floor of `config.agreement` stops the round before its training.
    """
    artifact = _assessed(feedback, config, place)
    note(place, AGREEMENT, artifact)
    figures = records_of(place, QualityFigure, artifact)
    found = breaches(figures, config.agreement)
    tree = RunTree(store_of(place), place.run)
    known = {
        "figures": [asdict(one) for one in figures],
        "drift": [asdict(one) for one in drift_of(figures, tree, config, place)],
        "breaches": [asdict(one) for one in found],
    }
    tree.write_round(place.round_index, f"{AGREEMENT}.json", known)
    for one in found:
        _log.warning("round %d: %s", place.round_index, one.sentence)
    if message := why_stopped(found, place.round_index):
        raise DataError(message)
    return artifact


def _assessed(feedback: Feedback, config: Config, place: Place) -> Artifact:
    """The stage of all figures; floors are no part of it, so they may change."""
    named = config.diversity.embedder
    encoder = local_folder(named) if named else None
    stage = open_stage(
        place,
        "annotate",
        settings={
            "part": AGREEMENT,
            "agreement": settings_of(config.agreement),
            "diversity": settings_of(config.diversity),
            "own_cells": own_cells(config),
            "strengths": dict(place.strengths),
            "min_distance": place.min_distance,
        },
        inputs={
            **contents("responses", feedback.responses),
            **contents("verdicts", feedback.verdicts),
        },
        seeds={"seed": place.seed},
        fingerprints={"embedder": weights_digest(encoder) if encoder else ""},
        semantics=SEMANTICS,
    )
    if done := stage.finished():
        return done.artifact
    rows, verdicts = measured_rows(feedback, config.agreement.most_prompts, place)
    drawn = drawn_prompts(rows, config.diversity, place.seed)
    texts = {row.response_id: row.text for row in rows if row.prompt_id in drawn}
    limit = config.diversity.max_tokens
    vectors = embeddings(texts, encoder, limit, stage.digest) if encoder else None
    return stage.commit(tables=tables_of(rows, verdicts, drawn, vectors, config, place))
