"""Part of the refresh door: what its committed rounds have left of a run, read from the store."""

import json
from collections.abc import Mapping
from typing import Any

from infra.artifacts import open_artifact
from infra.forks import origin_of
from infra.run_tree import RunTree
from infra.worked import seconds_by_verb, work_of
from tasks.agreement.known import FeedbackQuality
from tasks.agreement.settings import AGREEMENT
from tasks.challenger import winning
from tasks.errors import ConfigError
from tasks.ledger.rounds import RoundFacts
from tasks.records import Artifact, EvalReport
from tasks.report.run_data import RunData
from tasks.step_metrics import reported
from tasks.tables import from_table

LAST_SHARE = 10
"""The end of a training is its last tenth."""


def rounds_of(tree: RunTree, newest: Mapping[str, Any] | None = None) -> list[RoundFacts]:
    """What is known of every committed round, in order; `newest` is a manifest about to be one.

    ConfigError if there is none.
    """
    manifests = tree.manifests()
    if newest is not None:
        manifests = [*manifests[: newest["round_index"]], dict(newest)]
    if not manifests:
        name = tree.folder.rpartition("/")[2]
        raise ConfigError(f"run {name!r} has no committed round in {tree.store.root}")
    return [facts_of(tree, one) for one in manifests]


def run_data(tree: RunTree, newest: Mapping[str, Any] | None = None) -> RunData:
    """What the page of a run shows; `newest` is a manifest about to be committed."""
    return RunData(
        run=tree.folder.rpartition("/")[2],
        rounds=rounds_of(tree, newest),
        origin=origin_of(tree),
    )


def facts_of(tree: RunTree, manifest: Mapping[str, Any]) -> RoundFacts:
    """What is known of one round: no table of rows is read, but figures and training steps."""
    index = int(manifest["round_index"])
    stages = {role: Artifact(**one) for role, one in manifest["artifacts"].items()}
    work = work_of(tree, index)
    recorded = tree.read_round(index, "config.json") or {}
    frozen = tree.read("frozen.json") or {}
    return RoundFacts(
        manifest=manifest,
        config=winning(recorded.get("config", {}), manifest),
        evaluation=_evaluation(tree, stages),
        sft=str(frozen.get("base model", "")),
        seconds=seconds_by_verb(work),
        begun_at=min((one.begun_at for one in work), default=""),
        ended_at=max((one.ended_at for one in work), default=""),
        code=list(dict.fromkeys(one.code for one in work)),
        feedback=FeedbackQuality.of(tree.read_round(index, f"{AGREEMENT}.json") or {}),
        training=_end_of_training(tree, stages),
        decisions=decisions_of(tree, index),
    )


def _evaluation(tree: RunTree, stages: Mapping[str, Artifact]) -> list[EvalReport]:
    if "evaluate" not in stages:
        return []
    return list(from_table(EvalReport, open_artifact(tree.store, stages["evaluate"]).table()))


def _end_of_training(tree: RunTree, stages: Mapping[str, Artifact]) -> dict[str, float]:
    if "train" not in stages:
        return {}
    steps = [
        reported(row) for row in open_artifact(tree.store, stages["train"]).table().to_pylist()
    ]
    end = steps[-max(1, len(steps) // LAST_SHARE) :]
    names = dict.fromkeys(name for step in end for name in step)
    return {
        name: sum(step[name] for step in end if name in step) / sum(name in step for step in end)
        for name in names
    }


def decisions_of(tree: RunTree, index: int) -> list[dict[str, Any]]:
    """What people decided about a round after it was committed, in order."""
    paths = sorted(tree.store.list(f"{tree.round_folder(index)}/decisions"))
    return [json.loads(tree.store.read(path)) for path in paths]
