"""Door: responses and verdicts in, corrected preferences and preference pairs out."""

from contextlib import ExitStack
from typing import Any

from infra.place import contents, note, open_stage
from infra.prefect.door import door
from infra.stages import Stage
from tasks.config import PairsSection
from tasks.correction import CorrectionSettings
from tasks.errors import DataError
from tasks.pair_losses import why_none
from tasks.pair_passes import made_pairs
from tasks.records import Artifact, Feedback, Place
from tasks.variants import settings_of

SEMANTICS = 1


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
    prior (the presumed order as verdicts).
    """
    stage = _stage(prompts, feedback, correction, settings, place)
    if done := stage.finished():
        return note(place, "pair", done.artifact)
    with ExitStack() as stack:
        made = made_pairs(prompts, feedback, correction, settings, place, stack)
        if not made.counts["pairs"]:
            raise DataError(
                f"no preference pair is left of round {place.round_index}: {why_none(made.counts)}"
            )
        artifact = stage.commit(
            tables={
                "rows": made.rows,
                "held_out": made.held_out,
                "preferences": made.preferences,
                "prior": made.prior,
            },
            counts=made.counts,
            deterministic=True,
        )
    return note(place, "pair", artifact)


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
    """What pairs depend on; a selection that is not there leaves the key as it was without one."""
    plain: dict[str, Any] = settings_of(settings)
    return {name: one for name, one in plain.items() if name != "selection" or one is not None}
