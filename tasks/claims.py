"""Which rounds a flow run is to do, and whether its configuration may go on with one; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.errors import ConfigError

NOT_FROZEN = (
    "machine",
    "placement",
    "storage",
    "agreement",
    "diversity",
    "prices",
    "budget",
    "endpoints",
    "card",
    "annotate.front_end",
    "annotate.quorum",
    "annotate.deadline_hours",
    "annotate.on_deadline",
    "annotate.label_studio",
    "training.threads",
    "training.device",
    "training.checkpoint_every",
    "training.deadline_hours",
    "training.stalled_minutes",
)
"""Sections and settings that may change in the middle of a round: they change no result."""

CONCERNS = {
    "run": "collect",
    "prompts": "collect",
    "matrix": "sample",
    "quotas": "sample",
    "judges": "judge",
    "comparisons": "judge",
    "near_duplicates": "judge",
    "annotate": "annotate",
    "estimator": "estimate",
    "correction": "pair",
    "pairs": "pair",
    "transforms": "transform",
    "replay": "replay",
    "training": "train",
    "challenger": "train",
    "evaluation": "evaluate",
    "refresh": "refresh",
}
"""The verb that each section is about, in the order of the verbs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """Binds a flow run to rounds, so that a retry continues them and never adds one."""

    flow_run_id: str
    """The flow run."""
    first_index: int
    """First round it does."""
    last_index: int
    """Last round it does; below first_index if there is nothing to do."""

    @property
    def indices(self) -> range:
        """Its rounds."""
        return range(self.first_index, self.last_index + 1)


def new_claim(flow_run_id: str, committed: int, rounds: int, until: int | None) -> Claim:
    """The claim of a flow run that begins when `committed` rounds are done.

    `rounds` adds, an unfinished round counting as one; `until` is the number of rounds there
    shall be. ConfigError if a number is below 1.
    """
    for name, value in (("rounds", rounds), ("until", until)):
        if value is not None and value < 1:
            raise ConfigError(f"{name} is {value}; it must be 1 or more")
    last = committed + rounds - 1 if until is None else until - 1
    return Claim(flow_run_id=flow_run_id, first_index=committed, last_index=last)


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> list[str]:
    """Dotted keys whose values differ, sorted."""
    found = []
    for key in sorted(before.keys() | after.keys()):
        where = f"{path}{key}"
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += changed_keys(old, new, f"{where}.")
        elif old != new:
            found.append(where)
    return found


def frozen_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Dotted keys whose values differ, those left out that change no result."""
    return [
        key
        for key in changed_keys(before, after)
        if not any(key == free or key.startswith(f"{free}.") for free in NOT_FROZEN)
    ]


def first_concerned(keys: Sequence[str]) -> str:
    """The first verb of a round that settings with these dotted keys are about."""
    sections = {key.partition(".")[0] for key in keys}
    return next(verb for section, verb in CONCERNS.items() if section in sections)


def round_config(
    existing: Mapping[str, Any] | None,
    config: Mapping[str, Any],
    redo: Sequence[str],
    claim: Claim,
    round_index: int,
) -> dict[str, Any]:
    """What `rounds/N/config.json` shall hold: the configuration, and how often verbs were redone.

    A flow run redoes once: its retry goes on with what it has redone. Raises ConfigError that
    names the keys if an unfinished round was begun with other settings and no verb is redone.
    """
    asked = [claim.flow_run_id] if redo else []
    if existing is None:
        return {"config": dict(config), "redo": dict.fromkeys(redo, 1), "redo_by": asked}
    changed = frozen_keys(existing["config"], config)
    if changed and not redo:
        verb = first_concerned(changed)
        raise ConfigError(
            f"round {round_index} was begun with other values of {', '.join(changed)}. Finish it "
            f"with those. To go on with the new ones, add --set 'redo=[{verb}]': {verb} is done "
            "again as a whole; other finished work is kept where they do not concern it"
        )
    counts, before = dict(existing["redo"]), list(existing["redo_by"])
    if claim.flow_run_id not in before:
        counts |= {verb: counts.get(verb, 0) + 1 for verb in redo}
        before += asked
    return {"config": dict(config), "redo": counts, "redo_by": before}


def frozen_facts_changed(frozen: Mapping[str, str], now: Mapping[str, str], run: str) -> None:
    """Raise ConfigError that names the field if what the first round froze has changed."""
    for field, value in now.items():
        if frozen[field] != value:
            raise ConfigError(
                f"{field} of run {run!r} is frozen since its first round ({frozen[field][:16]}), "
                f"now it is {value[:16]}. Put it back, or start another run"
            )
