"""Door: evaluation answers and verdicts in, figures of policy, reference and SFT model out."""

from typing import Any

from infra.place import (
    contents,
    note,
    open_stage,
    records_of,
    scores_of,
    store_of,
    tables_in,
)
from infra.prefect.door import door
from infra.prefect.elsewhere import elsewhere
from infra.stages import Stage
from tasks.config_evaluation import EvaluationSection
from tasks.evaluate_harness import harness_key, on_tasks
from tasks.labelling import HELD_OUT_LABELS, ordered_pairs
from tasks.likelihoods import chosen_logp, divergences, label_accuracy, reward_accuracy
from tasks.measuring import Measured, measure, measure_alone, reports
from tasks.records import (
    Artifact,
    Checkpoint,
    Drawn,
    EvalReport,
    Evaluated,
    Label,
    Place,
    PreferencePair,
    Prompt,
    ReferenceScore,
    Response,
    Verdict,
)
from tasks.tables import to_table
from tasks.training_data import used_responses
from tasks.variants import settings_of

SEMANTICS = 2
HELD_OUT = "held_out"
"""The table of the pair stage with pairs that measure."""


@door("evaluate")
def evaluate(
    prompts: Artifact,
    answers: list[Artifact],
    opinions: list[Artifact],
    pairs: Artifact,
    scores: list[Artifact],
    drawn: Drawn | None,
    policy: Checkpoint,
    settings: EvaluationSection,
    place: Place,
) -> Evaluated:
    """Measure the policy beside its reference and the SFT model, on the same prompts.

    `scores` are the reference's and the policy's log-probabilities of the held-out pairs; `drawn`
    are samples of the policy with the models' log-probabilities, where divergence is measured.
    """
    checkpoints = {
        "policy": policy.sha256,
        "reference": place.reference.sha256,
        "sft": place.sft.sha256,
    }
    stage = open_stage(
        place,
        "evaluate",
        settings={"metrics": settings_of(settings.metrics), **harness_key(settings.harness)},
        inputs={
            "prompts": prompts.content,
            **_paired(pairs, place),
            **contents("answers", answers),
            **contents("opinions", opinions),
            **contents("scores", scores),
            **_contents_of(drawn),
        },
        fingerprints=checkpoints,
        semantics=SEMANTICS,
    )
    done = stage.finished() or elsewhere(stage)
    if done is None:
        measured = _measured(prompts, answers, opinions, settings, checkpoints, place)
        measured += _likelihoods(pairs, scores, drawn, place)
        tasks = on_tasks(settings.harness, policy, place)
        artifact = _commit(stage, measured + tasks.measured, tasks.reports, checkpoints)
    else:
        artifact = done.artifact
    return Evaluated(artifact=note(place, "evaluate", artifact), answers=answers)


def _contents_of(drawn: Drawn | None) -> dict[str, str]:
    """Samples and what models say of them, as inputs of a stage."""
    if drawn is None:
        return {}
    scored = {f"drawn-{role}": one.content for role, one in drawn.scores.items()}
    return contents("drawn", drawn.responses) | scored


def _paired(pairs: Artifact, place: Place) -> dict[str, str]:
    """Pairs, and what is held out of them: the content of their stage is that of the others."""
    tables = tables_in(place, pairs)
    held_out = {name: tables[name] for name in (HELD_OUT, HELD_OUT_LABELS) if name in tables}
    return {"pairs": pairs.content, **held_out}


def _measured(
    prompts: Artifact,
    answers: list[Artifact],
    opinions: list[Artifact],
    settings: EvaluationSection,
    checkpoints: dict[str, str],
    place: Place,
) -> list[Measured]:
    return measure(
        settings.metrics,
        records_of(place, Prompt, prompts),
        records_of(place, Response, answers),
        records_of(place, Verdict, opinions),
        checkpoints,
    )


def _commit(
    stage: Stage, measured: list[Measured], others: list[EvalReport], checkpoints: dict[str, str]
) -> Artifact:
    rows = [*reports(measured, checkpoints), *others]
    return stage.commit(
        tables={
            "rows": (EvalReport, to_table(EvalReport, rows)),
            "values": (Measured, to_table(Measured, measured)),
        },
        deterministic=True,
    )


def _likelihoods(
    pairs: Artifact, scores: list[Artifact], drawn: Drawn | None, place: Place
) -> list[Measured]:
    """What log-probabilities say: of held-out pairs and labels, and of the policy's own samples.

    Where no pairs are held out, labels order the responses to a prompt.
    """
    labelled = HELD_OUT_LABELS in tables_in(place, pairs)
    labels = records_of(place, Label, pairs, HELD_OUT_LABELS) if labelled else []
    held_out = records_of(place, PreferencePair, pairs, HELD_OUT) or ordered_pairs(labels)
    wanted = used_responses([*held_out, *labels])
    reference, policy = (scores_of(store_of(place), one, wanted) for one in scores)
    found = reward_accuracy(held_out, reference, policy) + chosen_logp(held_out, reference, policy)
    found += label_accuracy(labels, reference, policy)
    if drawn is not None:
        by_role = {
            role: {row.response_id: row for row in records_of(place, ReferenceScore, one)}
            for role, one in drawn.scores.items()
        }
        found += divergences(records_of(place, Response, drawn.responses), by_role)
    return found


@door("evaluate")
def measure_cells(
    prompts: Artifact, answers: list[Artifact], metrics: dict[str, Any], place: Place
) -> Artifact:
    """Measure every cell on its own, by the metrics that need no judge."""
    stage = open_stage(
        place,
        "evaluate",
        settings={"alone": settings_of(metrics)},
        inputs={
            "prompts": prompts.content,
            **{f"answers-{i}": one.content for i, one in enumerate(answers)},
        },
        semantics=SEMANTICS,
    )
    if done := stage.finished():
        return note(place, "evaluate", done.artifact)
    measured = measure_alone(
        metrics, records_of(place, Prompt, prompts), records_of(place, Response, answers)
    )
    artifact = stage.commit(
        tables={"rows": (Measured, to_table(Measured, measured))}, deterministic=True
    )
    return note(place, "evaluate", artifact)
