"""Part of the estimate door: what a fitted reward model says of the round's responses."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from infra.model_scores import scored_rows
from infra.models import checkpoint_folder, positions_of
from infra.place import blocks_of, facts_of, open_stage
from infra.processes import Limits
from infra.processes.room import Needs, room
from infra.progress import progress
from tasks.canonical import digest
from tasks.correction import CorrectionSettings
from tasks.estimators.reward_model import RewardModel
from tasks.judged_rows import judged_rows
from tasks.records import Artifact, Checkpoint, Feedback, Place, Prompt, Response, Verdict
from tasks.tokens import load_tokenizer

SEMANTICS = 1
UNLIMITED = 2**31 - 1
"""What a model reads whose config names no limit (tokens)."""


class Given(NamedTuple):
    """What an estimator has to learn from and to score."""

    prompts: Artifact
    feedback: Feedback
    estimator: Any
    correction: CorrectionSettings
    place: Place


def ranges(given: Given) -> Iterator[tuple[Mapping[str, Prompt], list[Response], list[Verdict]]]:
    """Prompts, responses and verdicts, a range of prompts at a time."""
    tables: dict[str, Any] = {"prompts": given.prompts, "responses": given.feedback.responses}
    tables["verdicts"] = given.feedback.verdicts
    with blocks_of(given.place, "prompts", **tables) as blocks:
        for block in blocks:
            prompts = {one.prompt_id: one for one in block.records(Prompt, "prompts")}
            yield prompts, block.records(Response, "responses"), block.records(Verdict, "verdicts")


def checkpoint_of(place: Place, artifact: Artifact) -> Checkpoint:
    """The weights that a stage of this part has made."""
    facts = facts_of(place, artifact)
    names = ("sha256", "base", "step", "tokenizer", "template")
    return Checkpoint(uri=artifact.uri, **{name: facts[name] for name in names})


def longest_of(estimator: RewardModel, folder: Path) -> int:
    """The longest prompt with a response that is read (tokens)."""
    return estimator.max_tokens or positions_of(folder) or UNLIMITED


def limits_of(estimator: RewardModel) -> Limits:
    """How long a child may take and be silent."""
    return Limits(
        deadline_seconds=estimator.deadline_hours * 3600,
        stalled_seconds=estimator.stalled_minutes * 60,
        grace_seconds=60.0,
    )


def scored(given: Given, model: Artifact, passes: int) -> dict[str, dict[str, Any]]:
    """What the fitted model says of every response that fits: `number`, and `passes` if asked."""
    estimator, place = given.estimator, given.place
    weights = checkpoint_of(place, model)
    folder = checkpoint_folder(weights, place.storage)
    batch = [
        (prompts[one.prompt_id], one)
        for prompts, responses, _ in ranges(given)
        for one in responses
    ]
    read = replace(estimator, max_tokens=longest_of(estimator, folder))
    rows = judged_rows(batch, load_tokenizer(folder), read)
    thinned = {"dropout": estimator.fit.dropout, "dropout_at": estimator.fit.dropout_at}
    asked = {"passes": passes, "seed": place.seed, **thinned} if passes else {}
    spec = {"job": "reward", "dtype": estimator.dtype, **asked}
    stage = open_stage(
        place,
        "estimate",
        settings=spec,
        inputs={"rows": digest(rows.to_pylist())},
        fingerprints={"model": weights.sha256},
        semantics=SEMANTICS,
    )
    here = {"model": str(folder), "device": estimator.device, "threads": estimator.threads}
    title = f"estimate · {rows.num_rows} responses"
    alone = room(place.side_by_side).entered(Needs(alone=True))
    with alone, progress.verb(title, total=rows.num_rows) as bar:
        return scored_rows(
            stage, rows, spec | here, budget=estimator.tokens_per_batch,
            limits=limits_of(estimator), on_rows=bar.advance,
        )  # fmt: skip
