"""The estimate door in a process that is killed while a reward model learns, or while it scores."""

from pathlib import Path

import pytest

from infra.models import local_folder
from infra.stages import Stage
from tasks import estimate_model
from tasks.describe import describe
from tests.estimators.estimate_world import done
from tests.killed import die
from tests.small_config import small_place

SETTINGS = {
    "fit": {"learning_rate": 3e-3, "pairs_per_batch": 8, "epochs": 6, "checkpoint_every": 2},
    "passes": 4, "compares": "all", "threads": 1, "max_tokens": 64,
}  # fmt: skip
SHARD = 12
"""Responses in a shard of what is scored."""
KEPT = 4
"""Steps of the newest checkpoint that is in the store when the fit is killed, at least."""


def place_of(store, model):
    """The first round of a run that starts from the folder `model`."""
    sft = describe(local_folder(model))
    root = f"file://{store}"
    return small_place(root=root, round_index=0, strengths={}, sft=sft, reference=sft, policies={})


def dies_fitting(work, store, model):
    """The process ends when a checkpoint of so many steps is in the store."""
    put = estimate_model.put_checkpoint

    def upload(*given):
        put(*given)
        if steps_kept(store) >= KEPT:
            die()

    _run(work, store, model, (estimate_model, "put_checkpoint", upload))


def steps_kept(store):
    """Steps of the newest checkpoint in a store."""
    found = Path(store).glob("stages/estimate/*/*/checkpoints/step-*/DONE.json")
    return max((int(path.parent.name.removeprefix("step-")) for path in found), default=0)


def dies_scoring(work, store, model):
    """The process ends when one shard of scores is in the store."""
    commit = Stage.commit_shard

    def commit_one(stage, *given):
        commit(stage, *given)
        die()

    _run(work, store, model, (Stage, "commit_shard", commit_one))


def _run(work, store, model, change):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TSO_WORK", str(work))
        patch.setattr("infra.model_scores.SHARD_ROWS", SHARD)
        patch.setattr(*change)
        done(place_of(store, model), "reward_model", **SETTINGS)
