"""Door: pairs and a model in, its log-probabilities of the responses that pairs use out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from infra.arrow_files import read_arrow
from infra.models import checkpoint_folder, local_folder
from infra.place import contents, note, open_stage, workdir_of
from infra.prefect.door import door
from infra.prefect.elsewhere import elsewhere
from infra.processes import Limits, run_child
from infra.processes.room import Needs, room
from infra.processes.smaller import with_smaller_budgets
from infra.progress import progress
from infra.stages import Stage
from infra.table_files import spooled
from infra.work import work_root
from tasks import child
from tasks.config_training import TrainingSection
from tasks.records import (
    Artifact,
    Checkpoint,
    Drawn,
    Place,
    ReferenceScore,
)
from tasks.references import TEACHER, fingerprint_of, reads_alike, references_of
from tasks.score_rows import (
    POLICY,
    REFERENCE,
    ROWS,
    ScoreRows,
    further_of,
    tables_of,
    without_tokens,
    write_rows,
)
from tasks.storage_settings import StorageSettings
from tasks.tables import check

SEMANTICS = 1
SETTINGS = (
    "dtype",
    "master_weights",
    "max_prompt_tokens",
    "long_prompts",
    "max_tokens",
    "tokens_per_microbatch",
)
"""Settings of the training section that are in the stage's key."""


def resolve_references(training: TrainingSection, place: Place) -> dict[str, Checkpoint]:
    """The models whose log-probabilities training reads, by role, the round's reference first."""
    from tasks.describe import describe

    return references_of(
        training.references, training.loss, place, lambda model: describe(local_folder(model))
    )


@door("score", retries=3)
def score(
    name: str,
    prompts: Artifact,
    responses: list[Artifact],
    pairs: Artifact | None,
    checkpoint: Checkpoint,
    training: TrainingSection,
    place: Place,
) -> Artifact | None:
    """Score the responses that pairs use, shard by shard, each once; the policy held-out ones.

    A reference scores besides what the loss needs beyond pairs; without pairs (None) every
    response is scored. None where others who share the shards are still at theirs. Prompts that
    are not what their ids say, those under a teacher's instruction, are part of the work's key.
    """
    fingerprint = fingerprint_of(checkpoint, training)
    own_tokens = reads_alike(checkpoint, place.reference)
    more = {"prompts": prompts.content} if name.startswith(TEACHER) else {}
    more |= {} if own_tokens else {"policy_tokenizer": place.reference.tokenizer}
    stage = _stage(name, responses, pairs, fingerprint, training, more, place)
    if done := stage.finished() or elsewhere(stage):
        return note(place, f"score-{name}", done.artifact)
    rows = write_rows(
        workdir_of(stage, place), name, prompts, responses, pairs, checkpoint, training, place
    )
    with room(place.side_by_side).entered(Needs(alone=True)):
        _, budget = with_smaller_budgets(
            lambda budget: _run(stage, rows, budget, checkpoint, fingerprint, training, place),
            training.tokens_per_microbatch,
            rows.longest,
        )
    if not place.part.whole and not stage.has_shards(rows.num_shards):
        return None
    return note(place, f"score-{name}", _commit(stage, rows, budget, own_tokens=own_tokens))


def _stage(
    name: str,
    responses: list[Artifact],
    pairs: Artifact | None,
    fingerprint: str,
    training: TrainingSection,
    more: dict[str, str],
    place: Place,
) -> Stage:
    further = further_of(name, pairs, training)
    of_pairs = {} if pairs is None else _of(pairs)
    return open_stage(
        place,
        "score",
        settings={name: getattr(training, name) for name in SETTINGS}
        | {"tables": [] if pairs is None else list(tables_of(name, pairs, place))}
        | ({"further": sorted(further)} if further else {}),
        inputs={**of_pairs, **contents("responses", responses), **more},
        fingerprints={"reference": fingerprint},
        semantics=SEMANTICS,
    )


def _of(pairs: Artifact) -> dict[str, str]:
    """The pairs as inputs: their main table and, by the stage, the held-out ones."""
    return {"pairs": pairs.content, "pairs_stage": pairs.stage}


def score_drawn(
    prompts: Artifact,
    responses: list[Artifact],
    policy: Checkpoint,
    training: TrainingSection,
    place: Place,
) -> Drawn | None:
    """Let policy, reference and SFT model score the policy's samples; None if there are none."""
    if not responses:
        return None
    models = {POLICY: policy, REFERENCE: place.reference, "sft": place.sft}
    scores = {
        role: score(f"drawn-{role}", prompts, responses, None, model, training, place)
        for role, model in models.items()
    }
    return Drawn(responses=responses, scores=scores)


def _run(
    stage: Stage,
    rows: ScoreRows,
    budget: int,
    checkpoint: Checkpoint,
    fingerprint: str,
    training: TrainingSection,
    place: Place,
) -> None:
    """Let a child score the shards that are still to do."""
    committed = set(stage.shards())
    own = {index: rows.span(index) for index in place.part.indices(rows.num_shards)}
    todo = {index: span for index, span in own.items() if index not in committed}
    if not todo:
        return
    workdir = workdir_of(stage, place)
    child.write_json(
        workdir / child.SPEC,
        _spec(stage, todo, budget, checkpoint, fingerprint, training, place.storage),
    )
    total = sum(end - first for first, end in own.values())
    with progress.verb("score", total=total) as bar:
        bar.advance(total - sum(end - first for first, end in todo.values()))

        def on_event(event: Mapping[str, Any]) -> None:
            if event["event"] == "shard":
                stage.commit_shard(event["index"], _checked(workdir / event["file"]), {})
                bar.advance(event["rows"])

        run_child("tasks.training", workdir, limits=limits_of(training), on_event=on_event)


def _checked(file: Path) -> pa.Table:
    """The scores of one shard; DataError before they are kept if one is no number."""
    table = read_arrow(file)
    check(ReferenceScore, table)
    return table


def _spec(
    stage: Stage,
    todo: Mapping[int, list[int]],
    budget: int,
    checkpoint: Checkpoint,
    fingerprint: str,
    training: TrainingSection,
    storage: StorageSettings,
) -> dict[str, Any]:
    return {
        "job": "score",
        "stage": stage.digest,
        "model": str(checkpoint_folder(checkpoint, storage)),
        "rows": ROWS,
        "shards": todo,
        "reference": fingerprint,
        "dtype": training.dtype,
        "master_weights": training.master_weights,
        "device": training.device,
        "threads": training.threads,
        "tokens_per_microbatch": budget,
        "item_log": str(work_root() / "items.jsonl"),
    }


def limits_of(training: TrainingSection) -> Limits:
    """How long a scoring or training child may take and be silent."""
    return Limits(
        deadline_seconds=training.deadline_hours * 3600,
        stalled_seconds=training.stalled_minutes * 60,
    )


def _commit(stage: Stage, rows: ScoreRows, budget: int, *, own_tokens: bool) -> Artifact:
    """All shards; of a model that reads texts in another way, sums without their tokens."""
    with spooled(ReferenceScore) as scores:
        for table, _ in stage.committed(range(rows.num_shards)):
            scores.add(table if own_tokens else without_tokens(table))
        return stage.commit(
            tables={"rows": scores},
            facts={"tokens_per_microbatch": budget},
            counts={"scored": scores.rows, **rows.counts},
        )
