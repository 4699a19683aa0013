"""Door: responses and verdicts in, corrected preferences and preference pairs out."""

from infra.place import contents, note, open_stage, records_of
from infra.prefect.door import door
from tasks.config import PairsSection
from tasks.correction import CorrectionSettings
from tasks.errors import DataError
from tasks.judging import candidates_of
from tasks.pair_losses import why_none
from tasks.pairing import Paired, pairs_of, split_pairs
from tasks.records import (
    Artifact,
    Feedback,
    Place,
    Preference,
    PreferencePair,
    Prompt,
    Response,
    Verdict,
)
from tasks.responses import by_id
from tasks.tables import to_table
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
    stage = open_stage(
        place,
        "pair",
        settings={
            "correction": settings_of(correction),
            "pairs": settings_of(settings),
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
    if done := stage.finished():
        return note(place, "pair", done.artifact)
    made = _made(feedback, correction, settings, place)
    groups = {one.prompt_id: one.group_id for one in records_of(place, Prompt, prompts)}
    training, held_out = split_pairs(made.pairs, groups, settings.held_out_share, place.seed)
    artifact = stage.commit(
        tables={
            "rows": (PreferencePair, to_table(PreferencePair, training)),
            "held_out": (PreferencePair, to_table(PreferencePair, held_out)),
            "preferences": (Preference, to_table(Preference, made.preferences)),
            "prior": (Verdict, to_table(Verdict, made.prior)),
        },
        counts={**made.counts, "held_out": len(held_out)},
        deterministic=True,
    )
    return note(place, "pair", artifact)


def _made(
    feedback: Feedback, correction: CorrectionSettings, settings: PairsSection, place: Place
) -> Paired:
    responses = records_of(place, Response, feedback.responses)
    made = pairs_of(
        candidates_of(responses, place.strengths, place.min_distance),
        records_of(place, Verdict, feedback.verdicts),
        by_id(responses),
        correction,
        settings,
        place.seed,
    )
    if not made.pairs:
        raise DataError(
            f"no preference pair is left of round {place.round_index}: {why_none(made.counts)}"
        )
    return made
