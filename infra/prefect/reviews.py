"""Flow runs that wait for people: suspended, so that no process is held, with a form to go on.

A suspended flow run is resumed by its form or by the tick (`tasks/waiting.py`), runs again from its
beginning in a new process and finds its finished stages. Each suspension has a key of its own:
Prefect lets a key fire once, also where a crash or a Retry ended the suspension without an answer.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal, NamedTuple
from uuid import UUID

import httpx
import orjson
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState
from prefect.client.schemas.filters import FlowRunFilterStateName as StateNames
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import SetStateStatus
from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.input.run_input import Keyset
from prefect.states import Failed
from pydantic import BaseModel, ConfigDict, Field

from tasks.errors import FlowRunError
from tasks.storage_settings import StorageSettings

SUSPENDED = "Suspended"
NEVER_SECONDS = 366 * 24 * 3600
"""After so long Prefect fails a suspended flow run: our own deadline has to come first."""
STILL_WAITS = "tso.review.waits"
"""Event of the tick: a flow run that is suspended is not dead, whatever it was heard of last."""
PAGE = 100

Decision = Literal["done", "extend", "go on without"]


class Review(RunInput):
    """What a person says in the form of a suspended flow run."""

    model_config = ConfigDict(extra="forbid", title="Review")

    decision: Decision = Field(
        default="done",
        description="done: go on with the answers there are; extend: wait longer; go on without: "
        "as if nobody had been asked",
    )
    reviewer: str = Field(min_length=1, max_length=200, description="Your name")
    hours: float = Field(default=24.0, gt=0, le=8760, description="For extend: how much longer")


class Waits(BaseModel):
    """What a suspended flow run waits for, written on it where the tick reads it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: StorageSettings
    """The store of the run; nothing of it is secret."""
    run: str
    """Name of the run."""
    round_index: int
    """The round whose batch is to be answered."""


class Suspended(NamedTuple):
    """A flow run that waits."""

    flow_run: FlowRun
    waits: Waits

    @property
    def keys(self) -> Keyset:
        """Under which names its form is kept: schema, description, response."""
        return _keys(_pause_key(self.flow_run))


def is_deployed() -> bool:
    """Whether this is a flow run of a deployment, which can be suspended."""
    context = FlowRunContext.get()
    return bool(context and context.flow_run and context.flow_run.deployment_id)


def reviews(prefix: str) -> list[tuple[str, Review | None]]:
    """By key, what was said at each earlier suspension of this flow run whose key begins so.

    None where it was ended without the form.
    """
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(_own_id())
        fired = flow_run.empirical_policy.pause_keys or set()
        count = sum(key.startswith(f"{prefix}-") for key in fired)
        keys = [f"{prefix}-{number}" for number in range(count)]
        return [(key, _response(client, flow_run.id, key)) for key in keys]


def suspend(key: str, waits: Waits, text: str) -> None:
    """End this process; the flow run starts again when it is resumed. Does not return.

    `text` is markdown above the form.
    """
    with get_client(sync_client=True) as client:
        _put_input(client, _own_id(), f"waits-{key}", waits.model_dump(mode="json"))
    form = Review.with_initial_data(description=text)
    suspend_flow_run(wait_for_input=form, key=key, timeout=NEVER_SECONDS)
    raise FlowRunError(f"this flow run was not suspended for {key}; press Retry", again=True)


def suspended() -> Iterator[Suspended]:
    """The flow runs on the server that wait for a batch."""
    with get_client(sync_client=True) as client:
        for flow_run in _all_suspended(client):
            said = _read_input(client, flow_run.id, f"waits-{_pause_key(flow_run)}")
            if said is not None:
                yield Suspended(flow_run, Waits.model_validate(said))


def resume(one: Suspended, review: Review) -> bool:
    """Let a flow run go on as if the form had been filled in; False if somebody did it before.

    Raises FlowRunError if the server refuses for another reason.
    """
    with get_client(sync_client=True) as client:
        _mend(client, one)
        answer = client.resume_flow_run(one.flow_run.id, run_input=review.model_dump(mode="json"))
        if answer.status == SetStateStatus.ACCEPT:
            return True
        state = client.read_flow_run(one.flow_run.id).state
        if state is None or not state.is_paused():
            return False
        reason = getattr(answer.details, "reason", answer.status)
        raise FlowRunError(f"{one.flow_run.name} cannot be resumed: {reason}", again=True)


def fail(one: Suspended, message: str) -> None:
    """End a flow run that was to fail rather than to go on; its Retry looks at the batch again."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(one.flow_run.id, Failed(message=message))


def still_waits(one: Suspended, text: str) -> None:
    """Show `text` above its form, and tell the server that the flow run is not dead.

    Its last heartbeat may have come after its suspension, and would be missed later.
    """
    with get_client(sync_client=True) as client:
        _mend(client, one)
        key = one.keys["description"]
        if _read_input(client, one.flow_run.id, key) != text:
            with suppress(httpx.HTTPStatusError):
                client.delete_flow_run_input(one.flow_run.id, key)
            _put_input(client, one.flow_run.id, key, text)
    resource = f"prefect.flow-run.{one.flow_run.id}"
    emit_event(
        event=STILL_WAITS,
        resource={"prefect.resource.id": resource, "prefect.resource.name": one.flow_run.name},
    )


def _mend(client: SyncPrefectClient, one: Suspended) -> None:
    """Give it its form if its process died between suspending itself and writing the form."""
    if _read_input(client, one.flow_run.id, one.keys["schema"]) is None:
        with suppress(httpx.HTTPStatusError):
            Review.save(one.keys, flow_run_id=one.flow_run.id)


def _all_suspended(client: SyncPrefectClient) -> list[FlowRun]:
    wanted = FlowRunFilter(state=FlowRunFilterState(name=StateNames(any_=[SUSPENDED])))
    found: list[FlowRun] = []
    while page := client.read_flow_runs(flow_run_filter=wanted, limit=PAGE, offset=len(found)):
        found += page
    return found


def _own_id() -> UUID:
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise FlowRunError("only a flow run can wait to be resumed", again=False)
    return context.flow_run.id


def _pause_key(flow_run: FlowRun) -> str:
    return str(flow_run.state.state_details.pause_key) if flow_run.state else ""


def _keys(pause_key: str) -> Keyset:
    base = f"{SUSPENDED.lower()}-{pause_key}"
    return {
        "schema": f"{base}-schema",
        "description": f"{base}-description",
        "response": f"{base}-response",
    }


def _response(client: SyncPrefectClient, flow_run_id: UUID, key: str) -> Review | None:
    said = _read_input(client, flow_run_id, _keys(key)["response"])
    return None if said is None else Review.model_validate(said)


def _read_input(client: SyncPrefectClient, flow_run_id: UUID, key: str) -> Any:
    try:
        return orjson.loads(client.read_flow_run_input(flow_run_id, key))
    except httpx.HTTPStatusError as error:
        if error.response.status_code == httpx.codes.NOT_FOUND:
            return None
        raise


def _put_input(client: SyncPrefectClient, flow_run_id: UUID, key: str, value: Any) -> None:
    """Write it unless it is there."""
    try:
        client.create_flow_run_input(flow_run_id, key, orjson.dumps(value).decode())
    except httpx.HTTPStatusError as error:
        if error.response.status_code != httpx.codes.CONFLICT:
            raise
