"""What has to fit together where verbs are done on work pools: names, budgets, limits; pure."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tasks.errors import ConfigError
from tasks.placement import LOCAL, Spot
from tasks.usage import paid_parts

if TYPE_CHECKING:
    from tasks.config import Config

NAMED = ("sample", "judge")
"""Verbs with a flow run for each cell or judge."""
SPREAD = (*NAMED, "score")
"""Verbs that work in shards, which several workers can share."""
EVALUATED = ("policy", "reference", "sft")
"""Who answers evaluation prompts, as `sample` names them."""


class Member(NamedTuple):
    """One of those who work side by side in a verb."""

    setting: str
    """As the configuration names it, e.g. judges.main."""
    spot: Spot
    """Where it works."""
    paid: list[Any]
    """What of it makes calls to servers that may cost money."""


def check_placement(config: "Config") -> None:
    """Raise ConfigError for the first thing that cannot work where it is to be done."""
    if not any(True for _ in config.placement.elsewhere):
        return
    _check_store(config.storage.root)
    _check_names(config)
    _check_workers(config)
    for members in _side_by_side(config):
        _check_budget(config, members)
        _check_limits(config, members)


def _check_store(root: str) -> None:
    if root.startswith("memory://"):
        raise ConfigError(
            f"placement sends work to other processes, but storage.root is {root!r}, which this "
            "one alone sees; take s3://bucket/prefix, or a folder that all workers share"
        )


def _check_names(config: "Config") -> None:
    judges = {*config.judges, *config.evaluation.judges}
    known = {"sample": {*config.matrix, *EVALUATED}, "judge": judges}
    for verb, where in config.placement.verbs.items():
        for name in where.but:
            if verb not in NAMED:
                raise ConfigError(
                    f"placement.{verb}.but names {name!r}, but {verb} knows no cells or judges; "
                    "leave it out"
                )
            if name not in known[verb]:
                raise ConfigError(
                    f"placement.{verb}.but names {name!r}; there are: "
                    f"{', '.join(sorted(known[verb]))}"
                )


def _check_workers(config: "Config") -> None:
    for setting, verb, spot in config.placement.elsewhere:
        if spot.workers > 1 and verb not in SPREAD:
            raise ConfigError(
                f"{setting}.workers is {spot.workers}, but {verb} is one piece of work; leave it "
                f"out ({', '.join(SPREAD)} can be shared; training.processes is for the GPUs of "
                "one machine)"
            )
    for section, judges in _judges(config).items():
        for name, judge in judges.items():
            if config.placement.of("judge", name).workers > 1 and _reads_at_once(judge):
                raise ConfigError(
                    f"{section}.{name} has a model of its own, which reads all responses at once; "
                    f"write placement.judge.but: {{{name}: {{deployment: NAME, workers: 1}}}}"
                )


def _reads_at_once(judge: Any) -> bool:
    members = getattr(judge, "members", {}).values()
    return hasattr(judge, "models") or any(_reads_at_once(one) for one in members)


def _judges(config: "Config") -> Mapping[str, Mapping[str, Any]]:
    return {"judges": config.judges, "evaluation.judges": config.evaluation.judges}


def _side_by_side(config: "Config") -> Iterator[list[Member]]:
    """Those who work at the same time, group by group."""
    place = config.placement.of
    cells = config.matrix.items()
    yield [
        Member(f"matrix.{name}", place("sample", name), paid_parts(cell.engine))
        for name, cell in cells
    ]
    for section, judges in _judges(config).items():
        yield [
            Member(f"{section}.{name}", place("judge", name), paid_parts(judge))
            for name, judge in judges.items()
        ]


def _check_budget(config: "Config", members: list[Member]) -> None:
    """What is spent is known at once on one machine only."""
    budget = config.budget
    units = ("usd", "calls", "tokens")
    limits = [
        f"budget.{unit}_per_{scope}"
        for unit in units
        for scope in ("round", "run")
        if budget.limit(unit, scope) is not None
    ]
    paid = [one for one in members if one.paid]
    processes = sum(one.spot.workers for one in paid if one.spot.deployment != LOCAL)
    beside = any(one.spot.deployment == LOCAL for one in paid)
    if limits and processes and processes + beside > 1:
        raise ConfigError(
            f"{limits[0]} is kept by one machine, but {_named(paid)} would spend on several at "
            "the same time; let them work here (placement …: local), let only one of them cost "
            "money and give it one worker, or leave the budget out"
        )


def _check_limits(config: "Config", members: list[Member]) -> None:
    """Several workers of one cell or judge share a limit evenly; several members cannot."""
    for name, limits in config.endpoints.items():
        asking = [
            one
            for one in members
            if any(limits.base_url.rstrip("/") in _addresses(part) for part in one.paid)
        ]
        if len(asking) > 1 and any(one.spot.deployment != LOCAL for one in asking):
            raise ConfigError(
                f"endpoints.{name} is one limit, but {_named(asking)} would each take all of it "
                "in a process of their own; let them work here (placement …: local), or give "
                "each an address and a limit of its own"
            )


def _addresses(part: Any) -> list[str]:
    given = part.base_url
    return [one.rstrip("/") for one in ([given] if isinstance(given, str) else given)]


def _named(members: list[Member]) -> str:
    return " and ".join(one.setting for one in members)
