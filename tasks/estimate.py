"""Door: responses and verdicts in, an estimator's scores of all responses out, as verdicts."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from infra.place import blocks_of, contents, note, open_stage
from infra.prefect.door import door
from infra.prefect.elsewhere import elsewhere
from infra.stages import Stage
from infra.table_files import spooled
from tasks.canonical import short_id
from tasks.correction import CorrectionSettings
from tasks.estimates import PASS
from tasks.estimating import (
    annotator_of,
    compared_by,
    correct_share,
    estimate_verdicts,
    measured,
)
from tasks.judging import candidates_of, compared_in
from tasks.pairing import corrected
from tasks.records import Artifact, Feedback, Place, Response, Verdict
from tasks.tables import to_table
from tasks.variants import settings_of

SEMANTICS = 1


def estimate(
    prompts: Artifact,
    feedback: Feedback,
    estimator: Any | None,
    correction: CorrectionSettings,
    place: Place,
) -> Feedback:
    """`feedback` with the verdicts of `estimator` besides; as it is where there is none."""
    if estimator is None:
        return feedback
    said = estimated(prompts, feedback, estimator, correction, place)
    return replace(feedback, verdicts=[*feedback.verdicts, said])


@door("estimate", retries=3)
def estimated(
    prompts: Artifact,
    feedback: Feedback,
    estimator: Any,
    correction: CorrectionSettings,
    place: Place,
) -> Artifact:
    """Let the estimator learn from the corrected preferences, then score every response.

    Rows are verdicts of annotator `estimator`: scores, those of its passes (criterion `pass`), and
    opinions on comparisons where it compares. Facts: its accuracy on preferences held out of it.
    """
    stage = _stage(prompts, feedback, estimator, correction, place)
    if done := stage.finished() or elsewhere(stage):
        return note(place, "estimate", done.artifact)
    return note(place, "estimate", _fitted(stage, feedback, estimator, correction, place))


def _stage(
    prompts: Artifact,
    feedback: Feedback,
    estimator: Any,
    correction: CorrectionSettings,
    place: Place,
) -> Stage:
    return open_stage(
        place,
        "estimate",
        settings={
            "estimator": settings_of(estimator),
            "correction": settings_of(correction),
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


def _fitted(
    stage: Stage, feedback: Feedback, estimator: Any, correction: CorrectionSettings, place: Place
) -> Artifact:
    """The verdicts of an estimator that needs no model, a range of prompts at a time."""
    annotator = annotator_of(short_id(settings_of(estimator)))
    counts, gaps = Counter[str](), list[float]()
    tables: dict[str, Any] = {"responses": feedback.responses, "verdicts": feedback.verdicts}
    with spooled(Verdict) as rows, blocks_of(place, "responses", **tables) as blocks:
        for block in blocks:
            responses = block.records(Response, "responses")
            candidates = candidates_of(responses, place.strengths, place.min_distance)
            verdicts = block.records(Verdict, "verdicts")
            _, by_prompt = corrected(candidates, verdicts, correction)
            compared = compared_in(verdicts)
            found = [
                verdict
                for prompt_id, one in sorted(by_prompt.items())
                for verdict in estimate_verdicts(
                    estimator(one, prompt_id, place.seed),
                    candidates[prompt_id],
                    compared_by(estimator, one, compared.get(prompt_id, ())),
                    annotator,
                )
            ]
            rows.add(to_table(Verdict, found))
            counts.update(_counted(found))
            gaps += [gap for _, gap in measured(estimator, by_prompt, place.seed)]
        facts = {"held_out_accuracy": correct_share(gaps), "held_out": len(gaps)}
        return stage.commit(tables={"rows": rows}, counts=counts, facts=facts, deterministic=True)


def _counted(verdicts: list[Verdict]) -> Iterator[str]:
    """What each verdict is, for counts."""
    for one in verdicts:
        if one.b_id:
            yield "compared"
        elif one.criterion == PASS:
            yield "passes"
        else:
            yield one.outcome
