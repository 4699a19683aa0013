"""Whole runs for tests: the flow as people start it, and what it leaves behind."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from infra.run_tree import RunTree
from infra.storage import Store, open_store
from infra.work import work_root
from tests.small_run import PROMPTS_SECTION, prompt_rows, small_preset, write_rows
from tests.warm import warm_start

MARKUP = '<script>alert("x")</script>'


@dataclass(frozen=True)
class World:
    """A preset and its store; the same flow may run in it again and again."""

    folder: Path
    preset: Path

    @property
    def store(self) -> Store:
        return open_store(yaml.safe_load(self.preset.read_text("utf-8"))["storage"]["root"])

    def tree(self, run: str = "small") -> RunTree:
        return RunTree(self.store, run)

    def rounds(self, run: str = "small", **arguments: Any) -> Any:
        """The final state of one flow run."""
        from flows.tso import tso

        with warm_start():
            return tso(run=run, preset=str(self.preset), return_state=True, **arguments)

    def table(self, manifest: dict[str, Any], role: str, name: str = "rows") -> Any:
        from infra.artifacts import open_artifact
        from tasks.records import Artifact

        artifact = Artifact(**manifest["artifacts"][role])
        return open_artifact(self.store, artifact).table(name)

    def with_preset(self, **changes: Any) -> "World":
        """The same store with other sections in the preset."""
        preset = yaml.safe_load(self.preset.read_text(encoding="utf-8"))
        path = self.folder / "changed.yaml"
        path.write_text(yaml.safe_dump(preset | changes), encoding="utf-8")
        return World(self.folder, path)


def small_world(folder: Path, train: int = 16, **changes: Any) -> World:
    """The small run with prompts for two rounds; held-out prompts and tags hold markup."""
    rows = prompt_rows(train=train, held_out=6)
    for row in rows[train:]:
        row["prompt"] += MARKUP
        row["tags"] = [MARKUP]
    prompts = write_rows(folder / "pool.jsonl", rows)
    sections = {
        "prompts": PROMPTS_SECTION | {"files": [str(prompts)]},
        "machine": {"side_by_side": 2},
    }
    return World(folder, small_preset(folder, **sections | changes))


def error_of(state: Any) -> Any:
    """What a flow run ended with."""
    return state.result(raise_on_failure=False)


def items(work: Path | None = None) -> list[tuple[str, str]]:
    """(stage, item) of everything that engines, judges and trainers began to work on."""
    log = (work or work_root()) / "items.jsonl"
    if not log.exists():
        return []
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [(line["stage"], line["item"]) for line in lines]


def children(work: Path | None = None) -> list[str]:
    """Verbs for which a child process was started, one entry per stage."""
    stages = (work or work_root()) / "stages"
    return sorted(path.relative_to(stages).parts[0] for path in stages.rglob("child.pid"))


class Story(NamedTuple):
    """Two flow runs that added one round each; most tests only look at what they left."""

    world: World
    states: list[Any]
    children: list[list[str]]
    items: list[tuple[str, str]]
    manifests: list[dict[str, Any]]


def told_story(folder: Path) -> Story:
    """Two flow runs of one round each in a new world below `folder`, which takes a minute."""
    world = small_world(folder)
    states, started = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TSO_STORE", raising=False)
        for work in (folder / "first", folder / "second"):
            patch.setenv("TSO_WORK", str(work))
            states.append(world.rounds())
            started.append(children())
    logged = [one for work in ("first", "second") for one in items(folder / work)]
    return Story(world, states, started, logged, world.tree().manifests())


def nothing_was_done() -> bool:
    """Whether this test's work folder shows no item and no child process."""
    return items() == [] and children() == []


def retried(flow_run_id: str) -> Any:
    """Run a flow run again under its own id, as the Retry button does; its final state."""
    from prefect.client.orchestration import get_client
    from prefect.flow_engine import run_flow
    from prefect.states import AwaitingRetry

    from flows.tso import tso

    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run_id, AwaitingRetry(), force=True)
        flow_run = client.read_flow_run(flow_run_id)
    return run_flow(tso, flow_run=flow_run, parameters=flow_run.parameters, return_type="state")
