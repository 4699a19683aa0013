"""Ends a run when its rounds gain no more."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from tasks.decisions import History
from tasks.errors import ConfigError


class EarlyStopSettings(BaseModel):
    """When a run has gained what it will gain."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    metric: str
    """A guarded slice, e.g. `win_against_sft`: gains are the policy's over the reference's, on the
    same prompts."""
    min_gain: Annotated[float, Field(ge=0)] = 0.005
    """Gain below which nothing was gained, in units of the metric."""
    patience: Annotated[int, Field(ge=1)] = 2
    """Rounds in a row that gain nothing over the best one before them."""


def levels(history: History, metric: str) -> list[float | None]:
    """How far the reference after each round is above the SFT model: gains, summed up.

    A round that was refused gains nothing; a rollback goes back to the level of that round. None
    before the metric was first measured.
    """
    found: list[float | None] = []
    for index, manifest in enumerate(history.manifests):
        before = found[-1] if found else None
        seen = manifest["gate"].get("slices", {}).get(metric)
        decision = history.decided(index)
        if decision is not None and decision.to_round is not None:
            found.append(found[decision.to_round])
        elif seen is None or seen["estimate"] is None:
            found.append(before)
        else:
            found.append((before or 0.0) + (seen["estimate"] if history.refreshed(index) else 0.0))
    return found


def why_flat(history: History, settings: EarlyStopSettings) -> str:
    """Why another round is not worth it, in words; empty while rounds still gain."""
    rounds = zip(levels(history, settings.metric), history.manifests, strict=True)
    known = [one for one, of in rounds if one is not None and of.get("measured", True)]
    if len(known) < settings.patience:
        return ""
    gain = max(known[-settings.patience :]) - max([0.0, *known[: -settings.patience]])
    if gain > 0 and gain >= settings.min_gain:
        return ""
    return (
        f"{settings.metric} changed by {gain:+.4f} in the last {settings.patience} rounds, counted "
        f"from the best one before; a gain below {settings.min_gain:g} ends the run "
        "(refresh.early_stop)"
    )


def check_early_stop(refresh: Any, metrics: Mapping[str, Any]) -> None:
    """Raise ConfigError unless the section `refresh` stops by a metric that its gate sees gain."""
    if refresh.early_stop is None:
        return
    named = refresh.early_stop.metric
    metric = named.partition(" · ")[0]
    if metric not in metrics:
        raise ConfigError(
            f"refresh.early_stop.metric is {named!r}; evaluation.metrics has: {', '.join(metrics)}"
        )
    if not any(fnmatchcase(named, guard) for guard in refresh.guards):
        raise ConfigError(
            f"refresh.early_stop.metric is {named!r}, which the gate does not see; add it to "
            f"refresh.guards: {refresh.guards}"
        )
    if metrics[metric].HIGHER_IS_BETTER is None:
        raise ConfigError(
            f"refresh.early_stop.metric is {named!r}, of which neither more nor less is better; "
            "name another metric"
        )
