"""Door: responses and verdicts in, an estimator's scores of all responses out, as verdicts."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from infra.place import contents, counts_of, facts_of, note, open_stage
from infra.prefect.door import door
from infra.prefect.elsewhere import elsewhere
from infra.rows import file_digests
from infra.stages import Stage
from infra.table_files import Spool, spooled
from tasks.canonical import short_id
from tasks.config import Estimator
from tasks.correction import CorrectionSettings
from tasks.estimate_model import base_of, fitted_model
from tasks.estimate_scores import Given, ranges, scorer
from tasks.estimates import PASS
from tasks.estimating import (
    annotator_of,
    compared_by,
    correct_share,
    estimate_verdicts,
    estimated_of,
    measured,
)
from tasks.estimators._contract import Estimated
from tasks.judging import candidates_of, compared_in
from tasks.opinions import Annotator
from tasks.pairing import corrected
from tasks.pairs import PromptPreferences
from tasks.records import Artifact, Feedback, Place, Verdict
from tasks.tables import to_table
from tasks.variants import settings_of
from tasks.west_of_n import Range

SEMANTICS = 1
Think = Callable[[Range, Mapping[str, PromptPreferences]], Mapping[str, Estimated]]
"""What an estimator thinks of the responses to the prompts of a range."""


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
    estimator: Estimator,
    correction: CorrectionSettings,
    place: Place,
) -> Artifact:
    """Let the estimator learn from the corrected preferences, then score every response.

    Rows are verdicts of annotator `estimator`: scores, those of its passes (criterion `pass`), and
    opinions on comparisons where it compares. Facts: its accuracy on preferences held out of it.
    """
    stage = _stage(prompts, feedback, estimator, correction, place)
    given = Given(prompts, feedback, estimator, correction, place)
    if done := stage.finished() or elsewhere(stage):
        if not estimator.FITS:
            fitted_model(given)  # it is there: the round notes it
        return note(place, "estimate", done.artifact)
    artifact = _by_fits(stage, given) if estimator.FITS else _by_model(stage, given)
    return note(place, "estimate", artifact)


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
            **file_digests(getattr(estimator, "files", [])),
        },
        seeds={"seed": place.seed},
        fingerprints=base_of(estimator, place),
        semantics=SEMANTICS,
    )


def _by_fits(stage: Stage, given: Given) -> Artifact:
    """The verdicts of an estimator that is a fit to each prompt's own preferences."""
    estimator, seed, gaps = given.estimator, given.place.seed, list[float]()

    def think(_: Range, prompts: Mapping[str, PromptPreferences]) -> dict[str, Estimated]:
        gaps.extend(measured(estimator, prompts, seed))
        return {name: estimator(one, name, seed) for name, one in prompts.items()}

    annotator = annotator_of(short_id(settings_of(estimator)))
    with spooled(Verdict) as rows:
        counts = _written(rows, given, think, annotator)
        facts = {"held_out_accuracy": correct_share(gaps), "held_out": len(gaps)}
        return stage.commit(tables={"rows": rows}, counts=counts, facts=facts, deterministic=True)


def _by_model(stage: Stage, given: Given) -> Artifact:
    """The verdicts of a reward model, fitted first."""
    model = fitted_model(given)
    weights = facts_of(given.place, model)
    by = scorer(given, model, given.estimator.passes)

    def think(some: Range, prompts: Mapping[str, PromptPreferences]) -> dict[str, Estimated]:
        numbers = by.numbers(some)
        return {name: estimated_of(one, numbers) for name, one in prompts.items()}

    annotator = annotator_of(short_id(settings_of(given.estimator), weights["sha256"]))
    with spooled(Verdict) as rows:
        counts = _written(rows, given, think, annotator)
        return stage.commit(
            tables={"rows": rows},
            counts=counts,
            facts={
                "held_out_accuracy": weights["held_out_accuracy"],
                "held_out": counts_of(given.place, model)["held_out"],
                "sha256": weights["sha256"],
            },
        )


def _written(rows: Spool, given: Given, think: Think, annotator: Annotator) -> Counter[str]:
    """Write the verdicts to `rows`, a range of prompts at a time; how many there are of what."""
    counts, place = Counter[str](), given.place
    for some in ranges(given):
        candidates = candidates_of(some.responses, place.strengths, place.min_distance)
        _, by_prompt = corrected(candidates, some.verdicts, given.correction)
        compared, thought = compared_in(some.verdicts), think(some, by_prompt)
        found = [
            verdict
            for prompt_id, one in sorted(by_prompt.items())
            for verdict in estimate_verdicts(
                thought[prompt_id],
                candidates[prompt_id],
                compared_by(given.estimator, one, compared.get(prompt_id, ())),
                annotator,
            )
        ]
        rows.add(to_table(Verdict, found))
        counts.update(_counted(found))
    return counts


def _counted(verdicts: list[Verdict]) -> Iterator[str]:
    """What each verdict is, for counts."""
    for one in verdicts:
        if one.b_id:
            yield "compared"
        elif one.criterion == PASS:
            yield "passes"
        else:
            yield one.outcome
