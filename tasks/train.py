"""Door: pairs and reference scores in, the trained policy out; killed, it resumes exactly."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from infra.checkpoint_uploads import (
    discard_checkpoints,
    fetch_checkpoint,
    kept_models,
    put_checkpoint,
    put_model,
)
from infra.models import checkpoint_folder
from infra.place import facts_of, note, open_stage, store_of, tables_in, workdir_of
from infra.prefect.door import door
from infra.prefect.elsewhere import elsewhere
from infra.processes import Limits, run_child
from infra.processes.smaller import with_smaller_budgets
from infra.progress import progress
from infra.stages import Stage
from infra.work import work_root
from tasks import child
from tasks.config import PairFilter
from tasks.config_training import TrainingSection
from tasks.derivations import TABLE as ORIGINS
from tasks.derivations import reads_origins
from tasks.errors import ConfigError, DataError
from tasks.labelling import LABELS
from tasks.pair_losses import all_dropped
from tasks.records import Artifact, Checkpoint, Feedback, Place, Trained
from tasks.side_table import reads_side_table
from tasks.step_metrics import StepMetrics, speeds
from tasks.tables import to_table
from tasks.train_examples import EXAMPLES, SIDE, RowsOfRound, Written, write_examples
from tasks.training.settings import TrainingSettings
from tasks.variants import kind_of, plain, settings_of

_log = logging.getLogger(__name__)

SEMANTICS = 4


@door("train", retries=3)
def train(
    prompts: Artifact,
    feedback: Feedback,
    pairs: Artifact,
    scores: list[Artifact],
    training: TrainingSection,
    filters: list[PairFilter],
    place: Place,
) -> Trained:
    """Train the policy from the round's reference on the pairs it has not solved yet.

    `scores` are those of every reference, the round's own first, then what it says under each
    instruction of the teacher.
    """
    stage = open_stage(
        place,
        "train",
        settings={
            "training": settings_of(training),
            **({"teacher": settings_of(training.teacher)} if training.teacher else {}),
            "filters": [settings_of(one) for one in filters if one.STAGE == "scored"],
        },
        inputs=_inputs(feedback, pairs, scores, training)
        | _table_inputs(pairs, training.loss, place),
        seeds={"seed": place.seed, "round": place.round_index},
        fingerprints={"reference": place.reference.sha256},
        semantics=SEMANTICS,
    )
    if done := stage.finished() or elsewhere(stage):
        return _trained(done.artifact, place)
    workdir = workdir_of(stage, place)
    rows = RowsOfRound(prompts, feedback, pairs, scores)
    made = write_examples(rows, training, filters, place, workdir)
    if not made.number:
        raise DataError(
            f"round {place.round_index} has nothing to train on: {all_dropped(made.counts)}"
        )
    fetch_checkpoint(store_of(place), stage.folder, workdir)
    result, budget = with_smaller_budgets(
        lambda budget: _run(stage, workdir, budget, training, place),
        training.tokens_per_microbatch,
        made.longest,
    )
    result |= {"tokens_per_microbatch": budget}
    return _trained(_commit(stage, workdir, result, made, training, place), place)


def _inputs(
    feedback: Feedback, pairs: Artifact, scores: list[Artifact], training: TrainingSection
) -> dict[str, str]:
    """Contents that decide the examples; opinions and responses where the loss looks at them."""
    looked_at = {"scores": scores[1:]}
    if "uncertainty" in training.loss.REQUIRES:
        looked_at["verdicts"] = feedback.verdicts
    if "explored" in training.loss.OTHERS:
        looked_at["responses"] = feedback.responses
    inputs = {"pairs": pairs.content, "scores": scores[0].content}
    for name, some in looked_at.items():
        inputs |= {f"{name}-{i}": one.content for i, one in enumerate(some)}
    return inputs


def _table_inputs(pairs: Artifact, loss: Any, place: Place) -> dict[str, str]:
    """Labels, and origins where `loss` reads them: the content of a stage is that of its pairs."""
    tables = tables_in(place, pairs)
    names = [LABELS, *([ORIGINS] if reads_origins(loss) else [])]
    return {name: tables[name] for name in names if name in tables}


def _run(
    stage: Stage, workdir: Path, budget: int, training: TrainingSection, place: Place
) -> dict[str, Any]:
    """Let a child train; its checkpoints go to the store, so another machine can go on."""
    child.write_json(workdir / child.SPEC, _spec(stage, budget, training, place))
    with progress.verb("train", total=None) as bar:

        def on_event(event: Mapping[str, Any]) -> None:
            if event["event"] == "step":
                bar.at(event["step"], event["steps"])
            elif event["event"] == "checkpoint":
                local = workdir / event["folder"]
                put_checkpoint(store_of(place), stage.folder, local, training.keep_last)
            elif event["event"] == "model":
                put_model(stage, workdir / event["folder"])
            elif event["event"] == "damaged":
                _log.warning("%(folder)s is damaged and not used: %(why)s", event)

        limits = Limits(
            deadline_seconds=training.deadline_hours * 3600,
            stalled_seconds=training.stalled_minutes * 60,
            grace_seconds=training.stop_seconds,
        )
        return run_child("tasks.training", workdir, limits=limits, on_event=on_event)


def _spec(stage: Stage, budget: int, training: TrainingSection, place: Place) -> dict[str, Any]:
    return {
        "job": "train",
        "stage": stage.digest,
        "model": str(checkpoint_folder(place.reference, place.storage)),
        "examples": EXAMPLES,
        "side": SIDE if reads_side_table(training.loss) else None,
        "loss": plain(training.loss),
        "settings": {one.name: getattr(training, one.name) for one in fields(TrainingSettings)}
        | {"tokens_per_microbatch": budget},
        "seed": place.seed,
        "dtype": training.dtype,
        "master_weights": training.master_weights,
        "gradient_checkpointing": training.gradient_checkpointing,
        "adapter": training.adapter and asdict(training.adapter),
        "live_reference": training.live_reference and asdict(training.live_reference),
        "device": training.device,
        "threads": training.threads,
        "processes": training.processes,
        "expect_reference": training.loss.USES_REFERENCE,
        "reference": place.reference.sha256,
        "item_log": str(work_root() / "items.jsonl"),
    }


def _commit(
    stage: Stage,
    workdir: Path,
    result: Mapping[str, Any],
    made: Written,
    training: TrainingSection,
    place: Place,
) -> Artifact:
    from tasks.describe import describe

    found = describe(workdir / "model")
    if (found.tokenizer, found.template) != (place.reference.tokenizer, place.reference.template):
        raise ConfigError("the trained model has another tokenizer than its reference; redo train")
    lines = (workdir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    artifact = stage.commit(
        tables={"rows": (StepMetrics, to_table(StepMetrics, map(StepMetrics.of, lines)))},
        files={
            "model": stage.put_folder("model", workdir / "model"),
            "tensorboard": stage.put_folder("tensorboard", workdir / "curves"),
        }
        | kept_models(stage, workdir),
        facts={
            "sha256": found.sha256,
            "steps": result["steps"],
            "ended": result["ended"],
            "tokens_per_microbatch": result["tokens_per_microbatch"],
            "examples_digest": made.digest(workdir),
            "loss": kind_of(training.loss),
        },
        counts={"examples": made.number, **made.counts},
        volatile={"seconds": result["seconds"], "tokens_per_second": speeds(lines)},
    )
    discard_checkpoints(store_of(place), stage.folder)
    return artifact


def _trained(artifact: Artifact, place: Place) -> Trained:
    facts = facts_of(place, artifact)
    policy = Checkpoint(
        sha256=facts["sha256"],
        uri=artifact.uri,
        base=place.reference.sha256,
        step=facts["steps"],
        tokenizer=place.reference.tokenizer,
        template=place.reference.template,
    )
    return Trained(artifact=note(place, "train", artifact), policy=policy)
