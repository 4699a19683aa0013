"""Which runs a comparison is made of: a run for each method and seed, with equally many prompts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from infra.presets import parts_of, read_recipe
from infra.run_tree import NAME
from tasks.canonical import short_id
from tasks.config import Config
from tasks.errors import ConfigError, TSOError
from tasks.methods import Method
from tasks.rounds import resolve
from tasks.storage_settings import StorageSettings

PER_ROUND = "prompts.per_round"
LONGEST = 40
"""Characters of a method's name in the name of its run; more are cut and told apart by a digest."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A comparison that can be begun."""

    name: str
    """Begins the names of its runs."""
    storage: StorageSettings
    """Where all of them live: the store of the first method."""
    methods: Sequence[Method]
    """One for each seed and method, seed after seed."""
    refused: Mapping[str, str]
    """By run: why it cannot be begun."""


def planned(
    name: str,
    methods: Sequence[str],
    seeds: Sequence[int],
    until: int,
    overrides: Mapping[str, Any],
) -> Plan:
    """The runs of a comparison; ConfigError if the first method, or a name, is wrong.

    The first method has `until` rounds. All others are given as many prompts: as many of their own
    rounds as that takes, or a single one that is cut to that number.
    """
    _check(methods, seeds, until)
    first, _ = resolve(methods[0], _left_by(methods[0], overrides))
    total = until * first.prompts.per_round
    _check_runs(name, methods)
    found, refused = [], {}
    shown = _shown(methods)
    for method in (_method(name, one, shown[one], seed) for seed in seeds for one in methods):
        own = _overrides(method, methods[0], first, overrides)
        try:
            found.append(_with_rounds(method, own, total))
        except TSOError as error:
            found.append(method)
            refused[method.run] = str(error)
    return Plan(name=name, storage=first.storage, methods=found, refused=refused)


def _check(methods: Sequence[str], seeds: Sequence[int], until: int) -> None:
    if until < 1:
        raise ConfigError(f"--until is {until}; a comparison has at least 1 round")
    for what, some in (("methods", methods), ("seeds", seeds)):
        if not some:
            raise ConfigError(f"a comparison without {what}; name at least one")
        twice = sorted({str(one) for one in some if list(some).count(one) > 1})
        if twice:
            raise ConfigError(f"{what} of a comparison: {', '.join(twice)} is there twice")


def _check_runs(name: str, methods: Sequence[str]) -> None:
    """Refuse presets that only their folders tell apart: their runs would be one."""
    runs = [_run(name, one, 0) for one in methods]
    if twice := sorted({one for one in runs if runs.count(one) > 1}):
        raise ConfigError(f"two methods would both be the run {twice[0]!r}; rename a preset's file")


def _shown(methods: Sequence[str]) -> dict[str, str]:
    """Each method without the folder of its preset."""
    parts = {one: parts_of(one) for one in methods}
    return {one: "+".join([Path(base).stem, *recipes]) for one, (base, recipes) in parts.items()}


def _method(name: str, method: str, shown: str, seed: int) -> Method:
    run = _run(name, method, seed)
    if not NAME.fullmatch(run):
        raise ConfigError(
            f"a run cannot be called {run!r}; name the comparison in a few small letters, digits, "
            "dashes: --name trial"
        )
    return Method(name=method, shown=shown, seed=seed, run=run)


def _run(name: str, method: str, seed: int) -> str:
    return f"{name}-{_short(method)}-s{seed}"


def _short(method: str) -> str:
    """A method's name as a part of a run's."""
    base, recipes = parts_of(method)
    said = re.sub(r"[^a-z0-9]+", "-", "-".join([Path(base).stem, *recipes]).lower()).strip("-")
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}-{short_id(method)[:6]}"


def _overrides(
    method: Method, first: str, config: Config, overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """The settings of one run over its preset."""
    own = _left_by(method.name, overrides)
    if parts_of(method.name)[0] != parts_of(first)[0]:
        own["storage"] = asdict(config.storage)
    return {**own, "run.seed": method.seed}


def _left_by(method: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `overrides` that the recipes of `method` leave: what they set is theirs."""
    _, recipes = parts_of(method)
    taken = (
        {key for one in recipes for key in read_recipe(one)["set"]} if _known(recipes) else set()
    )
    return {key: value for key, value in overrides.items() if not _concerns(key, taken)}


def _known(recipes: Sequence[str]) -> bool:
    """Whether all of them can be read; if not, that is told where the method is resolved."""
    try:
        return all(read_recipe(one) for one in recipes)
    except ConfigError:
        return False


def _concerns(key: str, taken: set[str]) -> bool:
    """Whether a recipe sets `key`, something within it, or something around it."""
    return any(one == key or f"{one}.".startswith(f"{key}.") or f"{key}.".startswith(f"{one}.")
               for one in taken)  # fmt: skip


def _with_rounds(method: Method, overrides: dict[str, Any], total: int) -> Method:
    config, _ = resolve(method.name, overrides)
    per_round = config.prompts.per_round
    if per_round > total:
        overrides[PER_ROUND] = total
    rounds = max(1, round(total / per_round))
    return replace(method, rounds=rounds, overrides=overrides)
