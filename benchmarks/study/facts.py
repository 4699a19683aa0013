"""What a finished run did, counted from its store: what shows whether a variant is what it says."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.artifacts import Finished, open_artifact
from infra.run_tree import RunTree
from infra.storage import Store
from tasks.canonical import digest
from tasks.errors import DataError
from tasks.records import Artifact

SIDES = ("chosen", "rejected")
LAST = 10
"""Training figures are means over one of so many parts of the steps."""
SAMPLED, JUDGED = "sample-train-", "judge-"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What one run was made of."""

    counts: dict[str, int]
    """prompts, rounds, rounds.later (all but the first), responses (of models), responses.CELL,
    verdicts.judge, verdicts.human, pairs, examples, steps, steps.LOSS; clipped.chosen and
    clipped.rejected: steps in which a reward passed its bound."""
    prompts: str
    """Digest of all prompts it was trained on."""
    examples: list[str]
    """Digest of the examples of each round."""
    policies: list[str]
    """Weights that came out of each round."""
    figures: list[dict[str, float]]
    """The policy's figures on held-out prompts after each round."""
    loss: dict[str, Any]
    """Settings of the last round's loss."""
    training: list[dict[str, float]]
    """Means over each round's last optimizer steps of what the trainer measures."""


def facts_of(store: Store, run: str) -> Facts:
    """The facts of a run with committed rounds."""
    tree = RunTree(store, run)
    manifests = tree.manifests()
    if not manifests:
        raise DataError(f"run {run!r} has no committed round in {store.root}")
    counts, prompts, examples, training = Counter[str](), set[str](), [], []
    config: dict[str, Any] = {}
    for index, manifest in enumerate(manifests):
        stages = {
            role: open_artifact(store, Artifact(**one))
            for role, one in manifest["artifacts"].items()
            if role.startswith((SAMPLED, JUDGED)) or role in ("collect-train", "pair", "train")
        }
        config = (tree.read_round(index, "config.json") or {})["config"]
        counts.update(_counts(stages, manifest, config))
        counts["rounds.later"] += index > 0
        prompts.update(stages["collect-train"].table().column("prompt_id").to_pylist())
        examples.append(stages["train"].facts["examples_digest"])
        training.append(last_steps(stages["train"].table().to_pylist()))
    return Facts(
        counts=dict(counts),
        prompts=digest(sorted(prompts)),
        examples=examples,
        policies=[one["policy"]["sha256"] for one in manifests],
        figures=[one["figures"] for one in manifests],
        loss=config["training"]["loss"],
        training=training,
    )


def _counts(
    stages: Mapping[str, Finished], manifest: Mapping[str, Any], config: Mapping[str, Any]
) -> Counter[str]:
    """The counts of one round."""
    found = Counter[str]({"rounds": 1, "prompts": manifest["artifacts"]["collect-train"]["rows"]})
    for role, stage in stages.items():
        if role.startswith(SAMPLED):
            cell = role.removeprefix(SAMPLED)
            found[f"responses.{cell}"] += stage.counts["responses"]
            written = config["matrix"][cell]["origin"] == "human"
            found["responses"] += 0 if written else stage.counts["responses"]
        elif role.startswith(JUDGED) and role.endswith("-train"):
            found["verdicts.judge"] += manifest["artifacts"][role]["rows"]
    found["verdicts.human"] = manifest["counts"].get("annotate", {}).get("verdicts", 0)
    found["pairs"] = manifest["artifacts"]["pair"]["rows"]
    found["examples"] = stages["train"].counts["examples"]
    steps, loss = stages["train"].facts["steps"], config["training"]["loss"]["kind"]
    clipped = {f"clipped.{side}": clipped_steps(stages["train"], side) for side in SIDES}
    return found + Counter({"steps": steps, f"steps.{loss}": steps, **clipped})


def clipped_steps(trained: Finished, side: str) -> int:
    """Optimizer steps in which the reward of a pair's `side` passed its bound."""
    return sum(1 for one in trained.table().column(f"clipped_{side}").to_pylist() if one)


def last_steps(steps: list[dict[str, Any]]) -> dict[str, float]:
    """Means over the last tenth of the steps of every number that the loss reports."""
    last = steps[-max(1, len(steps) // LAST) :]
    named = {name for step in last for name, value in step.items() if isinstance(value, float)}
    return {
        name: sum(step[name] for step in last) / len(last)
        for name in sorted(named)
        if all(isinstance(step[name], float) for step in last)
    }
