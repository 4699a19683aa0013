"""One flow run on the live stack: triggered as the UI does, looked at, and found in processes."""

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import httpx
import psutil
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import AwaitingRetry

from benchmarks.soak.watched import PLACES, Item
from infra.manifests import read_sealed, read_table, stored_file
from infra.run_tree import RunTree
from infra.stack.launch import variables
from infra.stack.leftovers import processes_of
from infra.stack.parts import POOLS, worker_files
from infra.stack.settings import StackSettings
from infra.storage import Store, open_store
from tasks.errors import StorageError

RUN = "kills"
DEPLOYMENT = "tso/rounds"
WORKERS = tuple(f"worker-{pool}" for pool in POOLS)
SERVERS = ("prefect", "database", "s3")
TARGETS = ("flow", "stage flow", "child", "worker", *SERVERS)
ENGINE = re.compile(r"prefect(\.|\s).*(engine|flow-run|flow_run)")
AWAY = (OSError, httpx.TransportError, PrefectHTTPStatusError, StorageError)
"""What a server that is being started again makes of a question."""
PATIENCE_SECONDS = 600.0
Answer = TypeVar("Answer")


def asked(question: Callable[[SyncPrefectClient], Answer]) -> Answer:
    """What the server says, asked until it answers."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with get_client(sync_client=True) as client:
                return question(client)
        except AWAY:
            if time.monotonic() > end:
                raise
            time.sleep(1)


class StackRun:
    """The run `kills` on the stack of `settings`, whose server Prefect's settings name."""

    def __init__(self, settings: StackSettings) -> None:
        self.settings = settings
        made, _ = worker_files(settings)
        known = variables(Path(made).read_text(encoding="utf-8"))
        os.environ.update(known)
        self.store: Store = open_store(known["TSO_STORE"])
        self.work = settings.folder / "work"
        self._id: UUID | None = None

    def trigger(self, parameters: Mapping[str, Any]) -> None:
        """Start the deployment, as the button in the UI does."""
        with get_client(sync_client=True) as client:
            deployment = client.read_deployment_by_name(DEPLOYMENT)
            made = client.create_flow_run_from_deployment(
                deployment.id, parameters=dict(parameters)
            )
        self._id = made.id

    def flow_run(self) -> FlowRun:
        """The flow run as the server knows it."""
        return asked(lambda client: client.read_flow_run(self.known_id()))

    def state(self) -> str:
        """Name of the flow run's state."""
        state = self.flow_run().state
        return "" if state is None else state.name

    def retry(self) -> None:
        """What the button Retry does."""
        known = self.known_id()
        asked(lambda client: client.set_flow_run_state(known, AwaitingRetry(), force=True))

    def known_id(self) -> UUID:
        """The flow run; RuntimeError before it is triggered."""
        if self._id is None:
            raise RuntimeError("trigger the flow run first")
        return self._id

    def items(self) -> list[Item]:
        """Everything that was begun so far, in order."""
        return items_in(self.work / "items.jsonl")

    def committed(self) -> set[Item]:
        """Items that nobody may work on again; (stage, "*") stands for all of a finished stage."""
        paths = self.store.list("stages")
        done = {path.split("/")[3] for path in paths if path.endswith("/manifest.json")}
        found = {(stage, "*") for stage in done}
        for path in paths:
            _, _, _, stage, *rest = path.split("/")
            if stage not in done and rest[0] == "shards" and path.endswith(".json"):
                found |= {(stage, item) for item in self._items_of(path)}
        return found

    def _items_of(self, manifest: str) -> Iterator[str]:
        folder = manifest.partition("/shards/")[0]
        table = stored_file(folder, read_sealed(self.store, manifest)["table"])
        for row in read_table(self.store, table).to_pylist():
            if "sample_index" in row:
                yield f"{row['prompt_id']}:{row['sample_index']}"
            elif "response_id" in row:
                yield row["response_id"]

    def targets(self, kind: str) -> list[psutil.Process]:
        """The processes of which one is killed; those that are needed first come first."""
        if kind in SERVERS:
            return _roots(processes_of(self.settings.folder, kind))
        found = processes_of(self.settings.folder, *WORKERS)
        lines = {one: command_line(one) for one in found}
        chosen = {
            "worker": lambda line: "worker start" in line,
            "child": lambda line: "tasks.training" in line or "_transformers_child" in line,
            "flow": lambda line: bool(ENGINE.search(line)),
            "stage flow": lambda line: bool(ENGINE.search(line)),
        }[kind]
        some = [one for one in found if chosen(lines[one])]
        if kind in ("flow", "stage flow"):
            own = [one for one in some if _variable(one, "PREFECT__FLOW_RUN_ID") == str(self._id)]
            return own if kind == "flow" else [one for one in some if one not in own]
        return some

    def stage_manifests(self) -> dict[str, bytes]:
        """Every stage manifest, byte for byte."""
        return {
            path.removeprefix("stages/"): self.store.read(path)
            for path in self.store.list("stages")
            if path.endswith("/manifest.json")
        }

    def round_manifests(self) -> list[str]:
        """The rounds' manifests without what names the store."""
        manifests = RunTree(self.store, RUN).manifests()
        return [PLACES.sub("", json.dumps(one, sort_keys=True)) for one in manifests]

    def damaged(self) -> list[str]:
        """Tables that stage manifests name and that are not there, or are not what was written."""
        wrong = []
        for path in self.stage_manifests():
            folder = f"stages/{path.rpartition('/')[0]}"
            body = read_sealed(self.store, f"stages/{path}")
            for entry in body["tables"].values():
                try:
                    read_table(self.store, stored_file(folder, entry))
                except StorageError as error:
                    wrong.append(str(error))
        return wrong


def items_in(path: Path) -> list[Item]:
    """What an item log holds, in order; nothing if there is none."""
    if not path.exists():
        return []
    whole = path.read_bytes()
    lines = whole[: whole.rfind(b"\n") + 1].splitlines()
    return [(one["stage"], one["item"]) for one in map(json.loads, lines)]


def _roots(found: list[psutil.Process]) -> list[psutil.Process]:
    """Those whose parent is not among them: what the supervisor started."""
    pids = {one.pid for one in found}
    roots = []
    for one in found:
        try:
            if one.ppid() not in pids:
                roots.append(one)
        except psutil.Error:
            continue
    return roots


def command_line(process: psutil.Process) -> str:
    """Of a live process; empty if it is gone."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _variable(process: psutil.Process, name: str) -> str:
    try:
        return process.environ().get(name, "")
    except (psutil.Error, OSError):
        return ""
