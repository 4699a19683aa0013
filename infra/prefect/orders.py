"""What a flow is told that does a verb for another one: a few names, the rest lies in the store.

Parameters of flow runs are shown to everybody, and the server takes no large ones. Settings and
inputs of the verb are therefore written beside the round, under the digest of what they say.
"""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, get_type_hints

from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from infra.run_tree import RunTree
from infra.stages import Stage
from infra.storage import open_store
from tasks.canonical import canonical_json, digest
from tasks.errors import ConfigError, DamagedError
from tasks.placement import Part, Placement
from tasks.records import Place
from tasks.storage_settings import StorageSettings

Function = Callable[..., Any]


class Order(BaseModel):
    """One stage of a round, or a part of its shards, to be done by another flow run."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    store: StorageSettings
    """Where the run lives, and how that is reached; nothing of it is secret."""
    run: str
    """Name of the run."""
    round_index: int = Field(ge=0)
    """Which round, from 0."""
    what: str
    """The piece of work as people read it, e.g. sample · policy · train."""
    stage: str
    """The stage in the store that shall be finished."""
    arguments: str = Field(pattern=r"^rounds/[0-9]+/orders/[a-z]+-[0-9a-f]{64}\.json$")
    """Where settings and inputs of the verb lie, below the run."""
    part: int = Field(default=0, ge=0)
    """Which part of the stage's shards, from 0."""
    parts: int = Field(default=1, ge=1)
    """Parts that the shards are cut into; 1: all of the stage."""


def put_order(stage: Stage, verb: str, function: Function, given: Mapping[str, Any]) -> Order:
    """Write down with which arguments `function` finishes `stage`.

    The place is told without what is for this process alone: where verbs work.
    """
    place: Place = given["place"]
    arguments = {**given, "place": replace(place, placement=Placement(), part=Part())}
    said = plain_arguments(function, arguments)
    path = f"rounds/{place.round_index:05d}/orders/{verb}-{digest(said)}.json"
    RunTree(stage.store, place.run).create(path, said)
    name = f" · {given['name']}" if "name" in given else ""
    return Order(
        store=stage.store.settings,
        run=place.run,
        round_index=place.round_index,
        what=f"{verb}{name}",
        stage=stage.folder,
        arguments=path,
    )


def read_order(order: Order, function: Function) -> dict[str, Any]:
    """The arguments for `function` that were written down, checked, with the part to be done.

    Raises ConfigError if this process does not see the store, or takes other arguments.
    """
    said = RunTree(open_store(order.store), order.run).read(order.arguments)
    if said is None:
        raise ConfigError(
            f"{order.store.root} holds no {order.arguments} of run {order.run!r}: is it the same "
            "store here? A folder has to be on a disk that all workers share; else take s3://"
        )
    if order.arguments.rpartition("-")[2] != f"{digest(said)}.json":
        raise DamagedError(f"{order.arguments} of run {order.run!r} is damaged; start a new round")
    arguments = built_arguments(function, said)
    place: Place = arguments["place"]
    part = Part(index=order.part, of=order.parts)
    terms = place.terms.shared_by(order.parts)
    return {**arguments, "place": replace(place, part=part, terms=terms)}


def carried_out(order: Order, door: Any) -> State[Any]:
    """Do what is ordered by the task `door`; how the flow run ends."""
    if door(**read_order(order, door.fn)) is None:
        return Completed(message=f"{order.what}: this part is done, others are still at theirs")
    return Completed(message=f"{order.what}: all of it is done")


def plain_arguments(function: Function, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """`arguments` as JSON, by the types that `function` declares."""
    said = {
        name: adapter.dump_python(arguments[name], mode="json")
        for name, adapter in _adapters(function).items()
    }
    plain: dict[str, Any] = json.loads(canonical_json(said))
    return plain


def built_arguments(function: Function, said: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that were written as `said`; ConfigError names what does not fit."""
    adapters = _adapters(function)
    if said.keys() != adapters.keys():
        raise ConfigError(
            f"{function.__name__} takes {', '.join(adapters)}, and was sent {', '.join(said)}: "
            "flow and worker run different versions of the code; deploy again"
        )
    try:
        return {name: one.validate_python(said[name]) for name, one in adapters.items()}
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{function.__name__} does not understand {where or 'what it was sent'}: "
            f"{first['msg']}; do flow and worker run the same version of the code?"
        ) from error


def _adapters(function: Function) -> dict[str, TypeAdapter[Any]]:
    hints = get_type_hints(function, include_extras=True)
    return {name: TypeAdapter(hints[name]) for name in inspect.signature(function).parameters}
