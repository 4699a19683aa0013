"""Door: responses and verdicts in, corrected preferences and preference pairs out."""

from contextlib import ExitStack
from typing import Any, TypeVar

from infra.place import contents, note, open_stage
from infra.prefect.door import door
from infra.stages import Stage
from infra.table_files import TableFile
from tasks.config import PairsSection
from tasks.correction import CorrectionSettings
from tasks.errors import DataError
from tasks.label_passes import MadeLabels, made_labels
from tasks.pair_losses import why_no_label, why_none
from tasks.pair_passes import Made, made_pairs
from tasks.records import Artifact, Feedback, Place
from tasks.variants import settings_of

Record = TypeVar("Record")
SEMANTICS = 1
OPTIONAL = ("selection", "labels")
"""Settings of pairs that a key holds only where there are some."""


@door("pair")
def pair(
    prompts: Artifact,
    feedback: Feedback,
    correction: CorrectionSettings,
    settings: PairsSection,
    place: Place,
) -> Artifact:
    """Make the round's preference pairs; DataError with all counts if none is left.

    Tables: rows (pairs to train on), held_out (pairs that measure reward accuracy), preferences,
    prior (the presumed order as verdicts). Where single responses get labels, besides labels and
    held_out_labels.
    """
    stage = _stage(prompts, feedback, correction, settings, place)
    if done := stage.finished():
        return note(place, "pair", done.artifact)
    with ExitStack() as stack:
        made = made_pairs(prompts, feedback, correction, settings, place, stack)
        if settings.rule is not None and not made.counts["pairs"]:
            raise DataError(
                f"no preference pair is left of round {place.round_index}: {why_none(made.counts)}"
            )
        labels = _labels(made, prompts, feedback, settings, place, stack)
        artifact = stage.commit(
            tables={
                "rows": made.rows,
                "held_out": made.held_out,
                "preferences": made.preferences,
                "prior": made.prior,
                **(labels.tables() if labels else {}),
            },
            counts={**made.counts, **(labels.counts if labels else {})},
            deterministic=True,
        )
    return note(place, "pair", artifact)


def _labels(
    made: Made,
    prompts: Artifact,
    feedback: Feedback,
    settings: PairsSection,
    place: Place,
    stack: ExitStack,
) -> MadeLabels | None:
    """The labels of single responses, None where none are asked for; DataError if none is made."""
    if settings.labels is None:
        return None
    made.preferences.close()
    preferences = TableFile(made.preferences.path)
    labels = made_labels(prompts, feedback, preferences, settings, place, stack)
    if not labels.counts["labels"]:
        raise DataError(
            f"no response of round {place.round_index} has a label: {why_no_label(labels.counts)}"
        )
    return labels


def _stage(
    prompts: Artifact,
    feedback: Feedback,
    correction: CorrectionSettings,
    settings: PairsSection,
    place: Place,
) -> Stage:
    return open_stage(
        place,
        "pair",
        settings={
            "correction": settings_of(correction),
            "pairs": _settings_of(settings),
            "strengths": dict(place.strengths),
            "min_distance": place.min_distance,
        },
        inputs={
            "prompts": prompts.content,
            **contents("responses", feedback.responses),
            **contents("verdicts", feedback.verdicts),
        },
        seeds={"seed": place.seed},
        semantics=SEMANTICS,
    )


def _settings_of(settings: PairsSection) -> dict[str, Any]:
    """What pairs depend on; settings that are not there leave the key as it was without them."""
    plain: dict[str, Any] = settings_of(settings)
    return {name: one for name, one in plain.items() if name not in OPTIONAL or one is not None}
