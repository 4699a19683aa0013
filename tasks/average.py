"""Door: policies of earlier rounds in, moving averages of their weights out."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from infra.models import checkpoint_folder
from infra.place import facts_of, note, open_stage, store_of, workdir_of
from infra.prefect.door import door
from infra.processes import Limits, run_child
from infra.run_tree import RunTree
from infra.stages import Stage
from infra.work import work_root
from tasks import child
from tasks.config import Config, plain_config
from tasks.describe import describe
from tasks.model_matrix import decay_of, of_the_run
from tasks.records import Artifact, Checkpoint, Place

SEMANTICS = 1
LIMITS = Limits(deadline_seconds=6 * 3600, stalled_seconds=1800)


def averaged(config: Config, place: Place) -> Place:
    """`place` with the averages that `config` names; as it is where it names none.

    An average begins at the model the run started from and takes in the policy of each earlier
    round, the first one first, whether or not the gate let it become a reference.
    """
    decays = sorted(set(_decays(plain_config(config), "")))
    if not decays or not place.policies:
        return place
    return replace(place, averages={decay: average_of(decay, place) for decay in decays})


def _decays(value: Any, key: str) -> Iterator[float]:
    """The decays of all averages that are named as a model somewhere in `value`."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _decays(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _decays(inner, key)
    elif isinstance(value, str) and of_the_run(value):
        decay = decay_of(key, value)
        if decay is not None:
            yield decay


@door("average", retries=3)
def average_of(decay: float, place: Place) -> Checkpoint:
    """The average of all earlier policies; each step of it is a stage that is made once."""
    found, taken = _known(decay, place)
    for index in sorted(place.policies):
        if index >= taken:
            found = _further(decay, found, place.policies[index], place)
    return found


def _known(decay: float, place: Place) -> tuple[Checkpoint, int]:
    """The average that the last round used, and how many policies are in it; else the SFT model.

    An evaluation beside a run has no earlier rounds of its own: what it noted itself is none.
    """
    last = max(place.policies)
    noted = RunTree(store_of(place), place.run).pointer(last, _role(decay))
    pointer = noted if last < place.round_index else None
    if pointer is None:
        return place.sft, 0
    return _checkpoint(Artifact(**pointer), place), last


def _role(decay: float) -> str:
    return f"average-{decay!r}"


def _further(decay: float, before: Checkpoint, policy: Checkpoint, place: Place) -> Checkpoint:
    """`before` moved by one policy: w <- decay w + (1 - decay) w_policy."""
    stage = open_stage(
        place,
        "average",
        settings={"decay": decay},
        inputs={},
        fingerprints={"before": before.sha256, "policy": policy.sha256},
        semantics=SEMANTICS,
    )
    done = stage.finished()
    artifact = done.artifact if done else _made(stage, decay, before, policy, place)
    return _checkpoint(note(place, _role(decay), artifact), place)


def _made(
    stage: Stage, decay: float, before: Checkpoint, policy: Checkpoint, place: Place
) -> Artifact:
    workdir = workdir_of(stage, place)
    spec = {
        "job": "average",
        "stage": stage.digest,
        "before": str(checkpoint_folder(before, place.storage)),
        "policy": str(checkpoint_folder(policy, place.storage)),
        "decay": decay,
        "item_log": str(work_root() / "items.jsonl"),
    }
    child.write_json(workdir / child.SPEC, spec)
    run_child("tasks.training", workdir, limits=LIMITS, on_event=lambda event: None)
    return stage.commit(
        tables={},
        files={"model": stage.put_folder("model", workdir / "model")},
        facts={"sha256": describe(workdir / "model").sha256, "policy": policy.sha256},
        deterministic=True,
    )


def _checkpoint(artifact: Artifact, place: Place) -> Checkpoint:
    facts = facts_of(place, artifact)
    return Checkpoint(
        sha256=facts["sha256"],
        uri=artifact.uri,
        base=facts["policy"],
        step=0,
        tokenizer=place.sft.tokenizer,
        template=place.sft.template,
    )
