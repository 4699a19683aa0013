"""Door: people confirm or correct a budgeted part of the comparisons, and write responses.

`assess` then measures all feedback and ends the round before training where it is not good enough.
"""

import logging
from dataclasses import asdict
from typing import Any

from infra.embedding import embeddings
from infra.models import local_folder
from infra.place import blocks_of, contents, note, open_stage, records_of, store_of, table_of
from infra.prefect.door import door
from infra.rows import file_digests
from infra.run_tree import RunTree
from tasks.agreement.drift import Drift, drift
from tasks.agreement.figures import QualityFigure
from tasks.agreement.floors import breaches, why_stopped
from tasks.agreement.measure import measured_prompts, quality
from tasks.agreement.settings import AGREEMENT
from tasks.annotate_people import people_say
from tasks.config import AnnotateSection, Config
from tasks.diversity.measure import (
    DiversityFigure,
    PromptDiversity,
    cell_figures,
    drawn_prompts,
    prompt_rows,
)
from tasks.errors import DataError
from tasks.judging import candidates_of
from tasks.model_matrix import own_cells
from tasks.records import Artifact, Feedback, Place, Response, Verdict
from tasks.responses import by_id
from tasks.seeds import seed_of
from tasks.tables import to_table
from tasks.variants import settings_of
from tasks.weights import weights_digest

SEMANTICS = 1

_log = logging.getLogger(__name__)


@door("annotate")
def annotate(
    prompts: Artifact,
    responses: list[Artifact],
    verdicts: list[Artifact],
    settings: AnnotateSection,
    comparisons: Any,
    place: Place,
) -> Feedback:
    """Add what people say and write; files are read, simulated people answer at once."""
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
            **_seen(verdicts, comparisons),
        },
        seeds={"seed": place.seed},
        fingerprints=file_digests([*settings.verdict_files, *settings.response_files]),
        semantics=SEMANTICS,
    )
    if done := stage.finished():
        artifact = done.artifact
    else:
        with people_say(prompts, responses, verdicts, settings, comparisons, place) as made:
            artifact = stage.commit(**made, deterministic=True)
    note(place, "annotate", artifact)
    written = _written_artifact(artifact, place)
    return Feedback(responses=[*responses, *written], verdicts=[*verdicts, artifact])


def _seen(verdicts: list[Artifact], comparisons: Any) -> dict[str, str]:
    """The verdicts that decide what people are shown, if any do."""
    if not comparisons.ADAPTIVE:
        return {}
    return contents("verdicts", verdicts)


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
        "drift": [asdict(one) for one in _drift(figures, tree, config, place)],
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
    rows, verdicts = _measured_rows(feedback, config.agreement.most_prompts, place)
    drawn = drawn_prompts(rows, config.diversity, place.seed)
    texts = {row.response_id: row.text for row in rows if row.prompt_id in drawn}
    limit = config.diversity.max_tokens
    vectors = embeddings(texts, encoder, limit, stage.digest) if encoder else None
    return stage.commit(tables=_tables(rows, verdicts, drawn, vectors, config, place))


def _measured_rows(
    feedback: Feedback, most: int, place: Place
) -> tuple[list[Response], list[Verdict]]:
    """Responses and verdicts of the prompts that are measured: all, or `most` of them drawn."""
    rows: list[Response] = []
    verdicts: list[Verdict] = []
    given: dict[str, Any] = {"responses": feedback.responses, "verdicts": feedback.verdicts}
    with blocks_of(place, "responses", **given) as blocks:
        drawn = measured_prompts(blocks.prompt_ids, most, place.seed)
        for block in blocks:
            found = block.about(drawn)
            rows += found.records(Response, "responses")
            verdicts += found.records(Verdict, "verdicts")
    return rows, verdicts


def _tables(
    rows: list[Response],
    verdicts: list[Verdict],
    drawn: set[str],
    vectors: Any,
    config: Config,
    place: Place,
) -> dict[str, Any]:
    candidates = candidates_of(rows, place.strengths, place.min_distance)
    figures = quality(
        verdicts,
        by_id(rows),
        [one for members in candidates.values() for one in members],
        own_cells(config),
        config.agreement,
        seed_of(place.seed, AGREEMENT),
    )
    cells = cell_figures(rows, candidates, drawn, vectors)
    prompts = prompt_rows(rows, candidates, drawn)
    return {
        "rows": (QualityFigure, to_table(QualityFigure, figures)),
        "diversity": (DiversityFigure, to_table(DiversityFigure, cells)),
        "prompts": (PromptDiversity, to_table(PromptDiversity, prompts)),
    }


def _drift(
    figures: list[QualityFigure], tree: RunTree, config: Config, place: Place
) -> list[Drift]:
    """How the figures changed since the first and the last round that have any."""
    known = {
        one["round_index"]: one["artifacts"][AGREEMENT]
        for one in tree.manifests()[: place.round_index]
        if AGREEMENT in one["artifacts"]
    }
    earlier = (
        {
            index: records_of(place, QualityFigure, Artifact(**known[index]))
            for index in {min(known), max(known)}
        }
        if known
        else {}
    )
    return drift(figures, earlier, config.agreement.confidence)
