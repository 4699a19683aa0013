"""What no single section of a configuration can see: names and sections that must fit together."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tasks.canonical import digest
from tasks.errors import ConfigError
from tasks.losses._contract import needs_of
from tasks.training.settings import check_processes
from tasks.variants import kind_of, settings_of

if TYPE_CHECKING:
    from tasks.config import Config

SPLITS = ("dev", "held_out", "sealed")
"""Splits that rows without one may be drawn into."""


PAIR_COLUMNS = ("p_chosen", "margin")
"""Columns of a TrainingExample with one number for each pair, which a loss may require."""

SUPPLIED = {"pair": tuple(f"column {name}" for name in PAIR_COLUMNS), "response_only": ()}
"""What a round's examples have, by their kind, of what a loss may declare to need."""


def check_consistent(config: "Config") -> None:
    """Raise ConfigError for the first thing in `config` that cannot work."""
    _one_policy(config)
    _names(config)
    _opinions(config)
    _evaluation(config)
    check_recorded(config.prompts.split_shares, config.matrix)
    check_needs(config.training.loss)
    check_processes(config.training.processes, config.training.adapter)


def check_recorded(shares: Mapping[str, float], matrix: Mapping[str, Any]) -> None:
    """Refuse shares that are none, and recorded cells with a system prompt: nobody is asked."""
    for name, cell in matrix.items():
        if cell.system and kind_of(cell.engine) == "recorded":
            raise ConfigError(
                f"matrix.{name} has a system prompt, but its responses are recorded; leave it out"
            )
    if unknown := sorted(shares.keys() - set(SPLITS)):
        raise ConfigError(
            f"prompts.split_shares names {unknown[0]!r}; allowed: {', '.join(SPLITS)}"
        )
    if sum(shares.values()) >= 1:
        raise ConfigError(
            f"prompts.split_shares sum to {sum(shares.values()):g}; below 1, so that train keeps "
            "some prompts"
        )


def check_needs(loss: Any) -> None:
    """Raise ConfigError if `loss` needs what the training examples of a round do not have."""
    kind = loss.EXAMPLES_KIND
    if kind not in SUPPLIED:
        raise ConfigError(
            f"the loss {kind_of(loss)!r} trains on {kind} examples; rounds make: "
            f"{', '.join(SUPPLIED)}"
        )
    there = SUPPLIED[kind]
    if missing := [need for need in needs_of(loss) if need not in there]:
        raise ConfigError(
            f"the loss {kind_of(loss)!r} needs {missing[0]!r}; {kind} examples of a round have: "
            f"{', '.join(there) or 'none'}"
        )


def _one_policy(config: "Config") -> None:
    policies = [name for name, cell in config.matrix.items() if cell.model == "policy"]
    if len(policies) != 1:
        raise ConfigError(
            f"matrix has {len(policies)} cells with `model: policy` ({policies}); exactly one "
            "is needed: the current policy is always a cell"
        )


def _names(config: "Config") -> None:
    people = config.annotate.people
    if "prior" in config.judges or "prior" in people:
        raise ConfigError("the name 'prior' is reserved for the presumed order of cells")
    shared = sorted(set(config.judges) & set(people))
    if shared:
        raise ConfigError(f"judges and annotate.people share the names {shared}; rename one")
    for name, person in people.items():
        if not hasattr(person, "compare"):
            raise ConfigError(
                f"annotate.people.{name} has SHAPE {person.SHAPE!r}; simulated people compare by "
                "themselves: use simulated or rule, and put models and recorded verdicts into "
                "judges (recorded with by: human)"
            )


def _opinions(config: "Config") -> None:
    """Somebody has to have an opinion, or the prior has to count."""
    annotate = config.annotate
    if annotate.budget and not annotate.people:
        raise ConfigError(
            f"annotate.budget is {annotate.budget}, but annotate.people names nobody; "
            "name people, or leave the budget out"
        )
    silent = not (config.judges or annotate.budget or annotate.verdict_files)
    if silent and config.correction.uncompared == "drop":
        raise ConfigError(
            "there are no judges, people or verdict files, so every comparison would be dropped; "
            "add a judge, or let the presumed order count: correction.uncompared=prior"
        )


def _evaluation(config: "Config") -> None:
    known = config.evaluation.judges
    for name, metric in config.evaluation.metrics.items():
        judge = getattr(metric, "judge", None)
        if judge is not None and judge not in known:
            raise ConfigError(
                f"evaluation.metrics.{name} asks the judge {judge!r}; evaluation.judges has: "
                f"{', '.join(known) or 'none'}"
            )
    labelling = {digest(settings_of(one)): name for name, one in config.judges.items()}
    for name, judge in known.items():
        if judge.SHAPE == "recorded":
            raise ConfigError(
                f"evaluation.judges.{name} is recorded, but nobody has judged answers that are "
                "yet to be sampled; use a judge that compares, scores or is asked"
            )
        if twin := labelling.get(digest(settings_of(judge))):
            raise ConfigError(
                f"evaluation.judges.{name} is the labelling judge {twin!r}; the gate needs "
                "another opinion than the one the policy was trained on"
            )
