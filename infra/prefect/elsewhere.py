"""A verb that a work pool does: its flow runs, begun once or found again, and waited for.

`elsewhere(stage)` stands in a door after it has looked for the finished stage. The keys of flow
runs are made of the stage, so whoever comes for the same stage finds those that are under way,
also after the death of the flow that began them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun

from infra.artifacts import Finished
from infra.prefect.flow_runs import Asked, begun, ended
from infra.prefect.orders import Order, put_order
from infra.stages import Stage
from tasks.canonical import short_id
from tasks.errors import FlowRunError
from tasks.placement import LOCAL, Spot
from tasks.records import Place


class Call(NamedTuple):
    """The call of a door that is under way in this thread."""

    verb: str
    function: Callable[..., Any]
    given: Mapping[str, Any]
    """Its arguments by name."""

    @property
    def place(self) -> Place:
        """Its place."""
        place: Place = self.given["place"]
        return place

    @property
    def spot(self) -> Spot:
        """Where it is to be done; names of tasks begin with those of cell or judge."""
        name = str(self.given.get("name", "")).partition(" · ")[0]
        return self.place.placement.of(self.verb, name)


_under_way: ContextVar[Call | None] = ContextVar("call of a door", default=None)


@contextmanager
def during(call: Call) -> Iterator[None]:
    """Let `elsewhere` know which call of a door it is asked in."""
    token = _under_way.set(call)
    try:
        yield
    finally:
        _under_way.reset(token)


def elsewhere(stage: Stage, unless: bool = False) -> Finished | None:
    """The stage as workers of another pool finished it; None where it is done here.

    Raises FlowRunError if a flow run that was to do it did not complete.
    """
    call = _under_way.get()
    if call is None or unless or call.spot.deployment == LOCAL:
        return None
    order = put_order(stage, call.verb, call.function, call.given)
    with get_client(sync_client=True) as client:
        shared = _Shared(client, stage, call, order)
        if call.spot.workers > 1:
            shared.done_in_parts()
        return stage.finished() or shared.done_as_a_whole()


class _Shared(NamedTuple):
    """A stage that others do."""

    client: SyncPrefectClient
    stage: Stage
    call: Call
    order: Order

    def done_in_parts(self) -> None:
        """Let each worker do a range of the shards; who finds all of them there commits."""
        parts = self.call.spot.workers
        orders = [
            self.order.model_copy(update={"part": index, "parts": parts}) for index in range(parts)
        ]
        self._waited_for([begun(self.client, self._asked(one)) for one in orders])

    def done_as_a_whole(self) -> Finished:
        """Let one worker do what is missing; of shards that are all there, the commit."""
        asked = self._asked(self.order)
        self._waited_for([begun(self.client, asked)])
        if done := self.stage.finished():
            return done
        raise FlowRunError(
            f"{asked.deployment} completed {self.order.what!r}, but {self.stage.uri} is not there: "
            "the worker made another stage, so its code or its models are not those of this flow. "
            "Deploy both from the same version, then press Retry",
            again=False,
        )

    def _waited_for(self, flow_runs: list[FlowRun]) -> None:
        poll_seconds = self.call.place.placement.poll_seconds
        ended(self.client, flow_runs, poll_seconds, lambda: self.stage.finished() is not None)

    def _asked(self, order: Order) -> Asked:
        """The flow run for `order`: what it is found by, and how people see it."""
        deployment = f"tso-{self.call.verb}/{self.call.spot.deployment}"
        part = f" · part {order.part + 1} of {order.parts}" if order.parts > 1 else ""
        return Asked(
            deployment=deployment,
            parameters={"order": order.model_dump(mode="json")},
            key=short_id(order.store.root, self.stage.digest, deployment, order.part, order.parts),
            name=f"{order.what}{part} · round {order.round_index}",
            tags=[order.run, f"round-{order.round_index}", self.call.verb],
            keeps_completed=order.parts > 1,
        )
