"""Flow runs that work for another flow run: begun once, found again, followed to their end."""

import logging
import time
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

import httpx
from prefect import Task
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterIdempotencyKey
from prefect.client.schemas.objects import FlowRun, State, TaskRunResult
from prefect.context import FlowRunContext, TaskRunContext
from prefect.exceptions import ObjectNotFound
from prefect.states import Pending, Scheduled
from prefect.utilities.urls import url_for

from infra.prefect.deployments import found_deployment
from infra.progress import progress
from tasks.errors import FlowRunError

_log = logging.getLogger(__name__)

SETTLE_SECONDS = 5.0
"""A worker reports a crash twice, and somebody may press Retry in between."""
UNCLAIMED_SECONDS = 120.0
"""After so long without a worker somebody is told."""


class Asked(NamedTuple):
    """A flow run as it shall be."""

    deployment: str
    """FLOW/DEPLOYMENT."""
    parameters: dict[str, Any]
    key: str
    """Equal for equal work; every attempt adds its number."""
    name: str
    tags: list[str]
    keeps_completed: bool
    """Whether one that completed earlier is enough; else its work is gone from the store."""


def begun(client: SyncPrefectClient, asked: Asked) -> FlowRun:
    """The flow run that does what is `asked`: one under way if there is one, else a new one.

    A further attempt is begun only when the one before is over and did not help.
    """
    for attempt in count():
        key = f"{asked.key}-{attempt}"
        found = _found(client, key) or _new(client, asked, key)
        if not _is_over(found) or (asked.keeps_completed and _completed(found)):
            progress.note(f"{asked.name}: {asked.deployment}, flow run {_shown(found)}")
            return found
    raise AssertionError("unreachable")


def _found(client: SyncPrefectClient, key: str) -> FlowRun | None:
    by_key = FlowRunFilter(idempotency_key=FlowRunFilterIdempotencyKey(any_=[key]))
    return next(iter(client.read_flow_runs(flow_run_filter=by_key, limit=1)), None)


def _new(client: SyncPrefectClient, asked: Asked, key: str) -> FlowRun:
    """A flow run; the key has one winner, so whoever comes second gets the first one's."""
    deployment = found_deployment(client, asked.deployment)
    return client.create_flow_run_from_deployment(
        deployment.id,
        parameters=asked.parameters,
        state=Scheduled(),
        name=asked.name,
        tags=asked.tags,
        idempotency_key=key,
        parent_task_run_id=_stand_in(client, asked, key),
    )


def _stand_in(client: SyncPrefectClient, asked: Asked, key: str) -> Any:
    """The task run that stands for the new flow run in this one; None outside of a flow run.

    By it the server shows one inside the other, and cancels it with this one.
    """
    flow_run, task_run = FlowRunContext.get(), TaskRunContext.get()
    if flow_run is None or flow_run.flow_run is None:
        return None
    task: Task[Any, None] = Task(fn=lambda: None, name=asked.deployment)
    parents = [TaskRunResult(id=task_run.task_run.id)] if task_run else []
    made = client.create_task_run(
        task,
        flow_run.flow_run.id,
        dynamic_key=key,
        name=f"{asked.name} on {asked.deployment.partition('/')[2]}",
        state=Pending(),
        task_inputs={"__parents__": list(parents)},
    )
    return made.id


def ended(
    client: SyncPrefectClient,
    flow_runs: list[FlowRun],
    poll_seconds: float,
    is_done: Callable[[], bool],
) -> None:
    """Wait until all of `flow_runs` have completed, or the work is done whatever became of them.

    Raises FlowRunError for the first that did not complete. A server that is away is waited for.
    """
    waiting = {one.id: _Watched(one) for one in flow_runs}
    while waiting:
        for watched in list(waiting.values()):
            state = watched.state(client)
            if state is not None and not state.is_final():
                continue
            done = (state is not None and state.is_completed()) or is_done()
            if state is not None and not done:
                raise _failure(watched.flow_run, state)
            if done:
                del waiting[watched.flow_run.id]
        if waiting:
            time.sleep(poll_seconds)


class _Watched:
    """A flow run that is looked at again and again."""

    def __init__(self, flow_run: FlowRun) -> None:
        self.flow_run = flow_run
        self._since = time.monotonic()
        self._told = False

    def state(self, client: SyncPrefectClient) -> State[Any] | None:
        """Its state as the server tells now; None if the server does not answer."""
        try:
            state = client.read_flow_run(self.flow_run.id).state
            if state is not None and state.is_crashed():
                time.sleep(SETTLE_SECONDS)
                state = client.read_flow_run(self.flow_run.id).state
        except ObjectNotFound as error:
            raise FlowRunError(
                f"flow run {_shown(self.flow_run)} was deleted before it had completed", again=True
            ) from error
        except httpx.HTTPError as error:
            _log.warning("The Prefect server does not answer, asking again: %s", error)
            return None
        self._tell_if_unclaimed(state)
        return state

    def _tell_if_unclaimed(self, state: State[Any] | None) -> None:
        waits = state is not None and state.is_scheduled()
        if not waits:
            self._since = time.monotonic()
        if not self._told and time.monotonic() - self._since > UNCLAIMED_SECONDS:
            self._told = True
            pool = self.flow_run.work_pool_name
            _log.warning(
                "%s waits since %.0f s: all workers of pool %s are busy, or there is none; another "
                "one is started by: prefect worker start --pool %s",
                *(self.flow_run.name, UNCLAIMED_SECONDS, pool, pool),
            )


def _failure(flow_run: FlowRun, state: State[Any]) -> FlowRunError:
    """Why a flow run that was to work for this one is over; a crash may be tried again."""
    return FlowRunError(
        f"{flow_run.name} ended as {state.name}: {state.message or 'it says nothing'} "
        f"(flow run {_shown(flow_run)}). When that is mended, press Retry on this flow run",
        again=state.is_crashed(),
    )


def _shown(flow_run: FlowRun) -> str:
    """Where people find a flow run."""
    return url_for(flow_run) or str(flow_run.id)


def _is_over(flow_run: FlowRun) -> bool:
    return flow_run.state is not None and flow_run.state.is_final()


def _completed(flow_run: FlowRun) -> bool:
    return flow_run.state is not None and flow_run.state.is_completed()
