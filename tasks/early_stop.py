"""Ends a run when its rounds gain no more."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from tasks.decisions import History


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
    known = [one for one in levels(history, settings.metric) if one is not None]
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
