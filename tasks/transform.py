"""Door: pairs and responses in, pairs that transforms have edited or added to out."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from infra.artifacts import open_artifact
from infra.models import checkpoint_folder
from infra.place import blocks_of, contents, note, open_stage, store_of
from infra.prefect.door import door
from infra.prefect.elsewhere import elsewhere
from infra.stages import Stage
from tasks.canonical import digest
from tasks.config import Transform
from tasks.errors import DataError
from tasks.model_matrix import Cell
from tasks.records import SHARD_PROMPTS, Artifact, Feedback, Place, Response
from tasks.responses import tokens_of
from tasks.sample_job import spent
from tasks.tokens import load_tokenizer
from tasks.transform_rows import Growing, kept_tables, made_of
from tasks.transform_writing import asked_of, write, writer_of
from tasks.transforms._contract import Maker
from tasks.variants import kind_of, settings_of

SEMANTICS = 1


def transform(
    prompts: Artifact, feedback: Feedback, pairs: Artifact, transforms: Sequence[Any], place: Place
) -> tuple[Feedback, Artifact]:
    """Let each of `transforms` edit the pairs that are trained on, one after the other.

    What comes back is feedback with one artifact of responses more for each, and pairs with the
    tables that `pair` makes, held-out pairs as they were, and origins (where responses come from).
    """
    for number, one in enumerate(transforms):
        feedback, pairs = transformed(
            name=f"{number}-{kind_of(one)}",
            prompts=prompts,
            feedback=feedback,
            pairs=pairs,
            settings=one,
            place=place,
        )
    return feedback, pairs


@door("transform", retries=3)
def transformed(
    name: str,
    prompts: Artifact,
    feedback: Feedback,
    pairs: Artifact,
    settings: Transform,
    place: Place,
) -> tuple[Feedback, Artifact]:
    """Let one transform do its work; what its writer has answered is not asked again.

    Raises DataError with all counts if it leaves no pair, or makes nothing that a loss could read.
    """
    cell = writer_of(kind_of(settings), settings, place)
    stage = _stage(prompts, feedback, pairs, settings, cell, place)
    here = cell is None or cell.settings.engine.READS_FILES
    done = stage.finished() or elsewhere(stage, unless=here)
    artifact = (
        done.artifact if done else _worked(stage, prompts, feedback, pairs, settings, cell, place)
    )
    note(place, f"transform-{name}", artifact)
    made = note(place, f"transform-{name}-responses", _responses(artifact, place))
    return replace(feedback, responses=[*feedback.responses, made]), artifact


def _stage(
    prompts: Artifact,
    feedback: Feedback,
    pairs: Artifact,
    settings: Any,
    cell: Cell | None,
    place: Place,
) -> Stage:
    policy = place.reference
    reads = {"tokenizer": policy.tokenizer, "template": policy.template}
    return open_stage(
        place,
        "transform",
        settings={"transform": settings_of(settings), "writer": cell.digest if cell else ""},
        inputs={
            "prompts": prompts.content,
            "pairs": pairs.content,
            "pairs_stage": pairs.stage,
            **contents("responses", feedback.responses),
        },
        seeds={"seed": place.seed, "round": place.round_index},
        fingerprints={"version": settings.version(), **(reads if settings.READS_TOKENS else {})},
        semantics=SEMANTICS,
    )


def _worked(
    stage: Stage,
    prompts: Artifact,
    feedback: Feedback,
    pairs: Artifact,
    settings: Any,
    cell: Cell | None,
    place: Place,
) -> Artifact:
    """Let the writer write, then make pairs of it, a range of prompts at a time."""
    maker = _maker(settings, cell, place)
    given: dict[str, Any] = {"pairs": pairs, "prompts": prompts, "responses": feedback.responses}
    with ExitStack() as stack:
        blocks = stack.enter_context(blocks_of(place, "pairs", SHARD_PROMPTS, **given))
        if cell is not None:
            asked = stack.enter_context(asked_of(blocks, settings, cell, maker))
            write(stage, asked, cell, place)
        grown = made_of(blocks, stage, settings, maker, stack)
        _check_made(settings, grown, place)
        return _committed(stage, pairs, grown, cell, place, stack)


def _check_made(settings: Any, grown: Growing, place: Place) -> None:
    """Raise DataError with all counts where no pair is left, or nothing of what a loss is to read.

    A round would go on with the loss as it is without the transform, and nobody would know.
    """
    made = "preference pair" if not grown.counts["pairs"] else "response"
    if not grown.counts["pairs"] or (settings.SUPPLIES and not grown.counts["responses"]):
        raise DataError(
            f"the transform {kind_of(settings)} has left no {made} of round "
            f"{place.round_index}: {dict(grown.counts)}; docs/transforms.md says why it drops some"
        )


def _maker(settings: Any, cell: Cell | None, place: Place) -> Maker:
    """In whose name responses are made."""
    tokens = None
    if settings.READS_TOKENS:
        folder = checkpoint_folder(place.reference, place.storage)
        tokens = tokens_of(place.reference, load_tokenizer(folder))
    return Maker(
        name=kind_of(settings),
        generator=cell.digest if cell else digest(settings_of(settings))[:16],
        tokens=tokens,
        seeds=(place.seed, place.round_index),
    )


def _committed(
    stage: Stage,
    pairs: Artifact,
    grown: Growing,
    cell: Cell | None,
    place: Place,
    stack: ExitStack,
) -> Artifact:
    given = open_artifact(store_of(place), pairs)
    kept = kept_tables(given, grown, stack)
    return stage.commit(
        tables={
            "rows": grown.pairs,
            "responses": grown.responses,
            "origins": grown.origins,
            **kept,
        },
        counts=grown.counts,
        facts={**given.facts, "writer": cell.fingerprint if cell else ""},
        volatile=spent(stage, cell, place) if cell else {},
    )


def _responses(made: Artifact, place: Place) -> Artifact:
    """The new responses as an artifact of their own, as all others are."""
    stage = open_stage(
        place,
        "transform",
        settings={"part": "responses"},
        inputs={"of": made.stage},
        semantics=SEMANTICS,
    )
    if done := stage.finished():
        return done.artifact
    given = open_artifact(store_of(place), made)
    facts = {"sampled": given.facts["writer"]}
    return stage.commit(
        tables={"rows": (Response, given.table("responses"))}, facts=facts, deterministic=True
    )
