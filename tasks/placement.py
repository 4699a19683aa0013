"""Where each verb of a round works: in the process of the flow, or on a work pool; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, WithJsonSchema

from tasks.errors import ConfigError

LOCAL = "local"
_FORBID = ConfigDict(extra="forbid", use_attribute_docstrings=True)
Positive = Annotated[int, Field(ge=1)]
Deployment = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


@dataclass(frozen=True, kw_only=True)
class Part:
    """The shards of a stage that one flow run does: a range of them, all by default."""

    index: int = 0
    """Which part, from 0."""
    of: int = 1
    """How many parts there are."""

    @property
    def whole(self) -> bool:
        """Whether it is all shards."""
        return self.of == 1

    def indices(self, shards: int) -> range:
        """Its shards of so many; the parts of a stage meet without a gap."""
        return range(shards * self.index // self.of, shards * (self.index + 1) // self.of)


@dataclass(frozen=True, kw_only=True)
class Spot:
    """Where a piece of work is done."""

    __pydantic_config__: ClassVar[ConfigDict] = _FORBID

    deployment: Deployment = LOCAL
    """`local`: the process of the flow; else the name of a deployment of the verb's flow, which
    `prefect.yaml` names like its work pool."""
    workers: Positive = 1
    """Flow runs that share the shards of one cell, judge or model; each needs a worker."""


def _named(value: Any) -> Any:
    return {"deployment": value} if isinstance(value, str) else value


def _or_name(kind: type) -> dict[str, Any]:
    """Schema of a name, or of a mapping with settings."""
    return {"anyOf": [{"type": "string"}, TypeAdapter(kind).json_schema()]}


SpotIn = Annotated[Spot, BeforeValidator(_named), WithJsonSchema(_or_name(Spot))]


@dataclass(frozen=True, kw_only=True)
class Where(Spot):
    """Where a verb is done."""

    __pydantic_config__: ClassVar[ConfigDict] = _FORBID

    but: dict[str, SpotIn] = field(default_factory=dict)
    """Cells or judges, by name, whose place is another."""


WhereIn = Annotated[Where, BeforeValidator(_named), WithJsonSchema(_or_name(Where))]
"""A place in a configuration: its name alone, or a mapping with settings."""


STAY = {
    "collect": "it reads the prompts' files, which lie there",
    "annotate": "people answer there",
    "pair": "it reads tables, and no model",
    "replay": "it copies rows of earlier rounds, and reads no model",
    "teach": "it writes prompts under the teacher's instructions, and reads no model; the model "
    "that reads them does so in score: placement.score",
    "average": "it reads two models a tensor at a time, on any CPU",
    "refresh": "the gate decides there, once all is measured",
}
"""Verbs that the flow of the round does itself, and why."""


def refuse_those_that_stay(value: Any) -> Any:
    """`value` as it is; ConfigError if it sends a verb away that the round's own flow does."""
    for verb in value if isinstance(value, Mapping) else ():
        if verb in STAY:
            raise ConfigError(f"{verb} is done by the flow of a round: {STAY[verb]}; leave it out")
    return value


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where the verbs that take long are done; never part of a stage's key."""

    __pydantic_config__: ClassVar[ConfigDict] = _FORBID

    sample: WhereIn = Where()
    """Responses of cells. Recorded responses are read by the flow itself."""
    judge: WhereIn = Where()
    """Verdicts of judges. Recorded verdicts are read by the flow itself."""
    estimate: WhereIn = Where()
    """What the estimator learns, and its scores."""
    transform: WhereIn = Where()
    """What the writers of transforms write. A writer that reads files, and transforms without a
    writer, work in the flow itself."""
    score: WhereIn = Where()
    """Log-probabilities of references and policy."""
    train: WhereIn = Where()
    """The policy's training."""
    evaluate: WhereIn = Where()
    """Metrics over evaluation answers."""
    poll_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5.0
    """How often a flow asks how the flow run that works for it is (s)."""
    wait_for_workers: bool = False
    """Begin a round although nobody works for a pool yet: its work waits for somebody."""

    def of(self, verb: str, name: str = "") -> Spot:
        """Where `verb` is done for the cell or judge `name`."""
        where: Where = getattr(self, verb)
        return where.but.get(name, where)

    @property
    def verbs(self) -> Mapping[str, Where]:
        """The place of each verb that has one."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: where for name, where in found.items() if isinstance(where, Where)}

    @property
    def elsewhere(self) -> Iterator[tuple[str, str, Spot]]:
        """Setting, verb and place of all that is not done in the process of the flow."""
        for verb, where in self.verbs.items():
            named = {verb: where, **{f"{verb}.but.{name}": one for name, one in where.but.items()}}
            for setting, spot in named.items():
                if spot.deployment != LOCAL:
                    yield f"placement.{setting}", verb, spot
