"""Part of the estimate door: what a fitted reward model says of the round's responses."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

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
from tasks.west_of_n import Range

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer

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


def ranges(given: Given) -> Iterator[Range]:
    """Prompts, responses and verdicts, a range of prompts at a time."""
    tables: dict[str, Any] = {"prompts": given.prompts, "responses": given.feedback.responses}
    tables["verdicts"] = given.feedback.verdicts
    with blocks_of(given.place, "prompts", **tables) as blocks:
        for block in blocks:
            prompts = {one.prompt_id: one for one in block.records(Prompt, "prompts")}
            responses = block.records(Response, "responses")
            yield Range(prompts, responses, block.records(Verdict, "verdicts"))


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


class Scorer(NamedTuple):
    """A fitted model that looks at responses, a range of prompts at a time."""

    given: Given
    weights: Checkpoint
    folder: Path
    tokenizer: "Tokenizer"
    passes: int

    def numbers(self, some: Range) -> dict[str, dict[str, Any]]:
        """What the model says of every response that fits: `number`, and `passes` if asked.

        A stage of its own for each range, so that what a child has scored stays.
        """
        estimator, place = self.given.estimator, self.given.place
        batch = [(some.prompts[one.prompt_id], one) for one in some.responses]
        read = replace(estimator, max_tokens=longest_of(estimator, self.folder))
        rows = judged_rows(batch, self.tokenizer, read)
        thinned = {"dropout": estimator.fit.dropout, "dropout_at": estimator.fit.dropout_at}
        asked = {"passes": self.passes, "seed": place.seed, **thinned} if self.passes else {}
        spec = {"job": "reward", "dtype": estimator.dtype, **asked}
        stage = open_stage(
            place,
            "estimate",
            settings=spec,
            inputs={"rows": digest(rows.to_pylist())},
            fingerprints={"model": self.weights.sha256},
            semantics=SEMANTICS,
        )
        here = {
            "model": str(self.folder), "device": estimator.device, "threads": estimator.threads
        }  # fmt: skip
        title = f"estimate · {rows.num_rows} responses"
        alone = room(place.side_by_side).entered(Needs(alone=True))
        with alone, progress.verb(title, total=rows.num_rows) as bar:
            return scored_rows(
                stage, rows, spec | here, budget=estimator.tokens_per_batch,
                limits=limits_of(estimator), on_rows=bar.advance,
            )  # fmt: skip


def scorer(given: Given, model: Artifact, passes: int) -> Scorer:
    """The model that the stage `model` has fitted, ready to score."""
    weights = checkpoint_of(given.place, model)
    folder = checkpoint_folder(weights, given.place.storage)
    return Scorer(given, weights, folder, load_tokenizer(folder), passes)
