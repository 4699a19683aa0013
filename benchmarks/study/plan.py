"""What a study runs: variants of a preset, seeds, and what has to be true of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from infra.presets import read_preset
from tasks.canonical import digest
from tasks.errors import ConfigError
from tasks.layers import with_overrides

FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A plan file, as it stands."""

    name: str
    """Of the file; the results are named by it."""
    preset: str
    """The run that all variants are variants of: a name, or a path that ends in .yaml."""
    variants: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Overrides by variant; a plan has these or a grid."""
    seeds: list[int]
    rounds: int
    """Rounds of a run."""
    split: str
    """Prompts that the final policies answer."""
    temperatures: list[float]
    """At which they answer."""
    title: str = ""
    """Heads its part of the page."""
    main: str = "tso"
    """The variant that all others are compared with."""
    prefix: str = "study"
    """Begins the names of the runs."""
    all: dict[str, Any] = field(default_factory=dict)
    """Overrides of every variant."""
    rounds_of: dict[str, int] = field(default_factory=dict)
    """Rounds of the variants that have another number of them."""
    seeded: list[str] = field(default_factory=list)
    """Settings that are the seed, too, where the variant has their section."""
    lacks: dict[str, list[str]] = field(default_factory=dict)
    """Facts of a run (`facts.py`) that are zero in a variant and not in `main`; all others of main
    are above zero in the variant as well."""
    equal: list[str] = field(default_factory=list)
    """Facts that are equal in all variants of a seed: the budget."""
    unequal: dict[str, list[str]] = field(default_factory=dict)
    """Facts of `equal` in which a variant may differ; the page says so."""
    intro: list[str] = field(default_factory=list)
    """What the world is, in paragraphs."""
    columns: list[dict[str, str]] = field(default_factory=list)
    """What is measured: {of: policy@0, measure: checks all, title: …}; the first one counts."""
    notes: list[str] = field(default_factory=list)
    """What a reader has to know besides."""
    delta: float = 0.03
    """A difference that is surely smaller than this is called none."""
    seconds: dict[str, float] = field(default_factory=dict)
    """What a run of a variant takes on one core; `each` of those that are not named."""
    titles: dict[str, str] = field(default_factory=dict)
    """Variants in words."""
    thresholds: dict[str, Any] = field(default_factory=dict)
    """What the figures were meant to reach, fixed beforehand."""
    grid: dict[str, Any] = field(default_factory=dict)
    """For a sensitivity: what the variants are made of (`sensitivity.py`)."""
    world: dict[str, Any] = field(default_factory=dict)
    """What the study makes before its first run."""

    def overrides(self, variant: str, seed: int) -> dict[str, Any]:
        """The settings of one run, by dotted key."""
        own = {**self.all, **self.variants[variant], "run.seed": seed}
        data = with_overrides(_preset(self.preset), own)
        return own | {key: seed for key in self.seeded if _has_section(data, key)}

    def run(self, variant: str, seed: int) -> str:
        """The name of a run: other settings are another run, so no old round passes for a new."""
        data = with_overrides(_preset(self.preset), self.overrides(variant, seed))
        mark = digest([data, self.num_rounds(variant)])[:8]
        return f"{self.prefix}-{variant}-{seed}-{mark}".replace("_", "-")

    def num_rounds(self, variant: str) -> int:
        """Rounds of a run of `variant`."""
        return self.rounds_of.get(variant, self.rounds)

    def seconds_of(self, variant: str) -> float:
        """What a run of `variant` takes on one core (s), as measured before; 0 if it was not."""
        return float(self.seconds.get(variant, self.seconds.get("each", 0.0)))


@cache
def _preset(name: str) -> dict[str, Any]:
    """The content of a preset, read once."""
    return read_preset(name)


def _has_section(data: Mapping[str, Any], key: str) -> bool:
    """Whether everything but the last name of the dotted `key` is there."""
    place: Any = data
    for name in key.split(".")[:-1]:
        if not isinstance(place, Mapping) or not place.get(name):
            return False
        place = place[name]
    return isinstance(place, Mapping)


def read_plan(path: Path) -> Plan:
    """The plan of the file at `path`; ConfigError if it says what no plan says."""
    return plan_of(path, yaml.safe_load(path.read_text(encoding="utf-8")))


def plan_of(path: Path, data: Mapping[str, Any]) -> Plan:
    """The plan that `data` describes, named like the file `path`; errors as `read_plan`."""
    known = {one.name for one in fields(Plan)}
    if unknown := sorted(data.keys() - known):
        raise ConfigError(f"{path}: a plan has no {unknown}; it has: {', '.join(sorted(known))}")
    plan = Plan(name=path.stem, **{"preset": "quickstart", **data})
    if bool(plan.variants) == bool(plan.grid):
        raise ConfigError(f"{path}: a plan has either variants or a grid")
    for what, named in (("lacks", plan.lacks), ("rounds_of", plan.rounds_of)):
        if unknown := sorted(named.keys() - plan.variants.keys()):
            raise ConfigError(f"{path}: {what} names {unknown}, which are no variants of it")
    return plan


def shipped(name: str) -> Plan:
    """The plan `name` of this study."""
    return read_plan(FOLDER / f"{name}.yaml")
