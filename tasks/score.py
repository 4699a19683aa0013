"""Door: pairs and a model in, its log-probabilities of the responses that pairs use out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from infra.arrow_files import read_arrow, write_arrow
from infra.models import checkpoint_folder, local_folder
from infra.place import contents, note, open_stage, records_of, workdir_of
from infra.prefect.door import door
from infra.prefect.elsewhere import elsewhere
from infra.processes import Limits, run_child
from infra.processes.room import Needs, room
from infra.processes.smaller import with_smaller_budgets
from infra.progress import progress
from infra.stages import Stage
from infra.work import work_root
from tasks import child
from tasks.budgets import smallest_to_score
from tasks.config_training import TrainingSection
from tasks.further_responses import crossed_responses, explored_responses
from tasks.records import (
    Artifact,
    Checkpoint,
    Place,
    PreferencePair,
    Prompt,
    ReferenceScore,
    Response,
)
from tasks.references import fingerprint_of, references_of
from tasks.responses import by_id, tokens_of
from tasks.tables import check, concat
from tasks.tokens import load_tokenizer
from tasks.training_data import (
    prompt_limit,
    score_rows,
    tokenised,
    used_responses,
)

SEMANTICS = 1
SHARD_ROWS = 1024
"""Responses of one shard: fixed, so that boundaries are a function of the rows."""
SETTINGS = (
    "dtype",
    "master_weights",
    "max_prompt_tokens",
    "long_prompts",
    "max_tokens",
    "tokens_per_microbatch",
)
"""Settings of the training section that are in the stage's key."""
POLICY, REFERENCE = "policy", "reference"
PARTS = {REFERENCE: ("rows", "held_out"), POLICY: ("held_out",)}
"""Which pairs models score: the trained policy only those that it was not trained on, a further
reference only those that it is trained on."""


def resolve_references(training: TrainingSection, place: Place) -> dict[str, Checkpoint]:
    """The models whose log-probabilities training reads, by role, the round's reference first."""
    from tasks.describe import describe

    return references_of(training.references, place, lambda model: describe(local_folder(model)))


@door("score", retries=3)
def score(
    name: str,
    prompts: Artifact,
    responses: list[Artifact],
    pairs: Artifact,
    checkpoint: Checkpoint,
    training: TrainingSection,
    place: Place,
) -> Artifact | None:
    """Score the responses that pairs use, shard by shard, each once; the policy held-out ones.

    A reference scores besides what the loss needs beyond pairs. None where others who share the
    shards are still at theirs.
    """
    fingerprint = fingerprint_of(checkpoint, training)
    stage = _stage(name, responses, pairs, fingerprint, training, place)
    if done := stage.finished() or elsewhere(stage):
        return note(place, f"score-{name}", done.artifact)
    rows, counts = _rows(name, prompts, responses, pairs, checkpoint, training, place)
    with room(place.side_by_side).entered(Needs(alone=True)):
        _, budget = with_smaller_budgets(
            lambda budget: _run(stage, rows, budget, checkpoint, fingerprint, training, place),
            training.tokens_per_microbatch,
            smallest_to_score(rows),
        )
    shards = _num_shards(rows)
    if not place.part.whole and not stage.has_shards(shards):
        return None
    return note(place, f"score-{name}", _commit(stage, shards, counts, budget))


def _stage(
    name: str,
    responses: list[Artifact],
    pairs: Artifact,
    fingerprint: str,
    training: TrainingSection,
    place: Place,
) -> Stage:
    further = _further(name, training)
    return open_stage(
        place,
        "score",
        settings={name: getattr(training, name) for name in SETTINGS}
        | {"tables": list(_tables(name))}
        | ({"further": sorted(further)} if further else {}),
        inputs={
            "pairs": pairs.content,
            "pairs_stage": pairs.uri.rsplit("/", 2)[-2],
            **contents("responses", responses),
        },
        fingerprints={"reference": fingerprint},
        semantics=SEMANTICS,
    )


def _tables(name: str) -> tuple[str, ...]:
    return PARTS.get(name, ("rows",))


def _further(name: str, training: TrainingSection) -> tuple[str, ...]:
    """Responses beyond those of pairs that the loss needs scored by the model of this role."""
    further: tuple[str, ...] = () if name == POLICY else training.loss.OTHERS
    return further


def _rows(
    name: str,
    prompts: Artifact,
    responses: list[Artifact],
    pairs: Artifact,
    checkpoint: Checkpoint,
    training: TrainingSection,
    place: Place,
) -> tuple[pa.Table, dict[str, int]]:
    members = {table: records_of(place, PreferencePair, pairs, table) for table in _tables(name)}
    further, trained_on = _further(name, training), members.get("rows", [])
    answers = by_id(records_of(place, Response, responses))
    asked = {one.prompt_id: one for one in records_of(place, Prompt, prompts)}
    used = {one for some in members.values() for one in used_responses(some)}
    if "explored" in further:
        used |= set(explored_responses(trained_on, answers).values())
    tokenizer = load_tokenizer(checkpoint_folder(checkpoint, place.root))
    tokens = tokens_of(checkpoint, tokenizer)
    ids = tokenised(asked, answers, used, tokens, prompt_limit(training))
    crossed = crossed_responses(trained_on, ids.responses) if "mismatched" in further else {}
    return score_rows(answers, ids, training.max_tokens, crossed)


def _num_shards(rows: pa.Table) -> int:
    return -(-int(rows.num_rows) // SHARD_ROWS)


def _run(
    stage: Stage,
    rows: pa.Table,
    budget: int,
    checkpoint: Checkpoint,
    fingerprint: str,
    training: TrainingSection,
    place: Place,
) -> None:
    """Let a child score the shards that are still to do."""
    committed = set(stage.shards())
    own = {
        index: [index * SHARD_ROWS, min(rows.num_rows, (index + 1) * SHARD_ROWS)]
        for index in place.part.indices(_num_shards(rows))
    }
    todo = {index: span for index, span in own.items() if index not in committed}
    if not todo:
        return
    workdir = workdir_of(stage, place)
    write_arrow(rows, workdir / "rows.arrow")
    child.write_json(
        workdir / child.SPEC,
        _spec(stage, todo, budget, checkpoint, fingerprint, training, place.root),
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
    root: str,
) -> dict[str, Any]:
    return {
        "job": "score",
        "stage": stage.digest,
        "model": str(checkpoint_folder(checkpoint, root)),
        "rows": "rows.arrow",
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


def _commit(stage: Stage, shards: int, counts: dict[str, int], budget: int) -> Artifact:
    parts = [stage.shard(index) for index in range(shards)]
    table = concat(ReferenceScore, [part for part in parts if part is not None])
    return stage.commit(
        tables={"rows": (ReferenceScore, table)},
        facts={"tokens_per_microbatch": budget},
        counts={"scored": table.num_rows, **counts},
    )
