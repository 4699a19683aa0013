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
from infra.run_tree import RunTree
from tasks.agreement.figures import QualityFigure
from tasks.agreement.floors import breaches, why_stopped
from tasks.agreement.settings import AGREEMENT
from tasks.annotate_people import answers_stage, people_say, said_to
from tasks.annotate_quality import Measured, asked_of, drift_of, measured_rows, tables_of
from tasks.annotate_queue import Given, queue_of, queue_stage
from tasks.config import AnnotateSection, Config
from tasks.config_training import TrainingSection
from tasks.diversity.measure import (
    drawn_prompts,
)
from tasks.errors import DataError
from tasks.label_noise import estimate_of, with_noise
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
    given = Given(prompts, responses, verdicts, comparisons, settings, place)
    stage = queue_stage(given, SEMANTICS)
    if done := stage.finished():
        artifact = done.artifact
    else:
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
    stage = answers_stage(said, items, given, SEMANTICS)
    if done := stage.finished():
        artifact = done.artifact
    else:
        with people_say(said, given) as made:
            artifact = stage.commit(**made, deterministic=True)
    note(place, "annotate", artifact)
    written = _written_artifact(artifact, place)
    return Feedback(
        responses=[*responses, *written],
        verdicts=[*verdicts, artifact],
        items=items,
        people=artifact,
    )


def _written_artifact(artifact: Artifact, place: Place) -> list[Artifact]:
    """The written responses as an artifact of their own, if there are any."""
    table = table_of(place, artifact, "responses")
    if not table.num_rows:
        return []
    stage = open_stage(
        place,
        "annotate",
        settings={"part": "written"},
        inputs={"annotate": artifact.content, "of": artifact.stage},
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


def calibrated(training: TrainingSection, quality: Artifact, place: Place) -> TrainingSection:
    """The settings of the round's training, its noise of labels as people found it where asked for.

    Raises DataError where it cannot be told.
    """
    training = training.in_round(place.round_index)
    if training.noise_rate is None:
        return training
    rate = estimate_of(records_of(place, QualityFigure, quality))
    _log.info("round %d: %.1f %% of the judges' labels are wrong", place.round_index, 100 * rate)
    return training.model_copy(update={"loss": with_noise(training.loss, rate)})


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
            "correction": settings_of(config.correction) if feedback.items else None,
            "strengths": dict(place.strengths),
            "min_distance": place.min_distance,
        },
        inputs={
            **contents("responses", feedback.responses),
            **contents("verdicts", feedback.verdicts),
            **_asked_inputs(feedback),
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
    asked = asked_of(feedback, config, place)
    measured = Measured(rows, verdicts, drawn, vectors, asked)
    return stage.commit(tables=tables_of(measured, config, place))


def _asked_inputs(feedback: Feedback) -> dict[str, str]:
    """What people were asked and answered, known answers among it, for the key of a stage."""
    if feedback.items is None or feedback.people is None:
        return {}
    return {"items": feedback.items.content, "people": feedback.people.stage}
