"""The figures of one preference set, from the log-probabilities of its runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.real_preferences.measures import (
    MARGINS,
    SLICES,
    Array,
    hits,
    in_slice,
    interval,
    length_correlation,
    log_ratios,
    margin,
    shortcuts,
    verdict,
)
from benchmarks.real_preferences.parts import last_steps, notes_of
from benchmarks.real_preferences.prepared import Logps

LAST_STEPS = 10
"""Training figures are means over so many last optimizer steps."""
TRAINING = ("loss", "accuracy", "margin", "clipped_chosen", "clipped_rejected", "clipped_both")


@dataclass(frozen=True, kw_only=True)
class Run:
    """One finished training run, measured."""

    ratios: pd.DataFrame
    """Policy minus reference (nats) of both sides of every measured pair."""
    training: dict[str, float]
    """Means over the last steps."""
    learning_rate: float
    seconds: list[float]
    """Of training, and of scoring the measured pairs."""
    commits: set[str]
    """Where the repository stood when it was made."""


def run_of(
    table: pd.DataFrame,
    policy: Logps,
    reference: Logps,
    trained: Path,
    scored: Path,
    learning_rate: float,
) -> Run:
    """A run from what it says of the pairs in `table`, and from what its two parts noted."""
    steps = last_steps(trained, LAST_STEPS)
    notes = [notes_of(trained), notes_of(scored)]
    return Run(
        ratios=log_ratios(table, policy, reference),
        training={
            name: round(float(np.mean([step[name] for step in steps])), 4)
            for name in TRAINING
            if name in steps[0]
        },
        learning_rate=learning_rate,
        seconds=[note["seconds"] for note in notes],
        commits={note["commit"] for note in notes},
    )


def set_figures(
    table: pd.DataFrame,
    reference: Logps,
    runs: Mapping[str, Mapping[int, Run]],
    losses: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Accuracies of shortcuts and losses by slice, their differences, drift, clips, seconds.

    `runs` are by loss and seed.
    """
    known = shortcuts(table, reference)
    cut = Cut(table)
    bounds = clip_bounds(losses)
    return {
        "slices": {name: cut.size(name) for name in SLICES},
        "reference_nats_per_token": reference_nats(table, reference),
        "shortcuts": {name: cut.by_slice(values) for name, values in known.items()},
        "losses": {
            loss: loss_figures(cut, by_seed, known, float(losses[loss]["beta"]), bounds)
            for loss, by_seed in runs.items()
        },
        "dual_clip_minus_dpo": between(cut, runs),
    }


def tuning_figures(table: pd.DataFrame, by_seed: Mapping[int, Run]) -> dict[str, Any]:
    """What a learning rate is chosen by, accuracy over all pairs, and what it did besides."""
    cut = Cut(table)
    values = stacked(cut, by_seed, "summed")
    chosen = np.stack([drift(table, by_seed[seed], "chosen") for seed in sorted(by_seed)])
    return {
        "accuracy": cut.interval("all", values),
        "accuracy_length_matched": cut.interval("length_matched", values),
        "chosen_drift_per_token": cut.interval("all", chosen),
        "training_last_steps": [by_seed[seed].training for seed in sorted(by_seed)],
    }


class Cut:
    """The slices of a pair table."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table
        self.prompts = table["prompt_id"].to_numpy()
        self.masks = {name: in_slice(table, name) for name in SLICES}

    def size(self, name: str) -> dict[str, int]:
        """Pairs and prompts of a slice."""
        mask = self.masks[name]
        return {"pairs": int(mask.sum()), "prompts": len(set(self.prompts[mask]))}

    def interval(self, name: str, values: Array) -> dict[str, float] | None:
        """Mean of `values` (…, pairs) over the slice; None where no pair is in it."""
        mask = self.masks[name]
        return interval(values[..., mask], self.prompts[mask]) if mask.any() else None

    def by_slice(self, values: Array) -> dict[str, dict[str, float] | None]:
        """The interval of every slice."""
        return {name: self.interval(name, values) for name in SLICES}


def reference_nats(table: pd.DataFrame, reference: Logps) -> float:
    """Mean negative log-probability of a chosen token under the reference (nats)."""
    tokens = [logp for one in table["chosen_id"] for logp in reference[one]]
    return round(-float(np.mean(tokens)), 3)


def clip_bounds(losses: Mapping[str, Mapping[str, Any]]) -> tuple[float, float]:
    """The dual clip's ceiling and floor (reward units)."""
    settings = next(one for one in losses.values() if one["kind"] == "dual_clip_dpo")
    return float(settings["chosen_ceiling"]), float(settings["rejected_floor"])


def loss_figures(
    cut: Cut,
    by_seed: Mapping[int, Run],
    known: Mapping[str, Array],
    beta: float,
    bounds: tuple[float, float],
) -> dict[str, Any]:
    """What one loss did, over its seeds."""
    runs = [by_seed[seed] for seed in sorted(by_seed)]
    won = {kind: stacked(cut, by_seed, kind) for kind in MARGINS}
    margins = np.stack([margin(cut.table, run.ratios, "summed") for run in runs])
    return {
        "seeds": sorted(by_seed),
        "learning_rate": runs[0].learning_rate,
        "accuracy": {kind: cut.by_slice(values) for kind, values in won.items()},
        "accuracy_by_seed": {
            kind: {name: _by_seed(cut, name, values) for name in SLICES}
            for kind, values in won.items()
        },
        "against_shortcuts": {kind: against(cut, values, known) for kind, values in won.items()},
        "drift_per_token": {
            side: cut.interval("all", np.stack([drift(cut.table, run, side) for run in runs]))
            for side in ("chosen", "rejected")
        },
        "clipped_held_out": clipped(cut, runs, beta, bounds),
        "margin_nats": cut.interval("all", margins),
        "length_correlation": [length_correlation(cut.table, one) for one in margins],
        "training_last_steps": [run.training for run in runs],
        "seconds": [run.seconds for run in runs],
        "commits": sorted(set.union(*(run.commits for run in runs))),
    }


def stacked(cut: Cut, by_seed: Mapping[int, Run], kind: str) -> Array:
    """Hits by seed and pair."""
    return np.stack(
        [hits(margin(cut.table, by_seed[seed].ratios, kind)) for seed in sorted(by_seed)]
    )


def _by_seed(cut: Cut, name: str, values: Array) -> list[float]:
    mask = cut.masks[name]
    return [round(float(row[mask].mean()), 4) for row in values] if mask.any() else []


def against(cut: Cut, values: Array, known: Mapping[str, Array]) -> dict[str, Any]:
    """Accuracy minus each shortcut's, pair by pair, with its verdict; `coin` is one half."""
    rivals = {"coin": np.full(values.shape[-1], 0.5), **known}
    return {
        name: {
            rival: _judged(cut.interval(name, values - theirs)) for rival, theirs in rivals.items()
        }
        for name in SLICES
    }


def _judged(difference: dict[str, float] | None) -> dict[str, Any] | None:
    return None if difference is None else {**difference, "verdict": verdict(difference)}


def drift(table: pd.DataFrame, run: Run, side: str) -> Array:
    """How far the log-probability of each pair's response moved (nats per token of it)."""
    return (run.ratios[side] / table[f"{side}_tokens"]).to_numpy()


def clipped(
    cut: Cut, runs: Sequence[Run], beta: float, bounds: tuple[float, float]
) -> dict[str, dict[str, float] | None]:
    """Shares of held-out pairs whose rewards pass the dual clip's bounds, whatever the loss."""
    ceiling, floor = bounds
    chosen = np.stack([beta * run.ratios["chosen"].to_numpy() > ceiling for run in runs])
    rejected = np.stack([beta * run.ratios["rejected"].to_numpy() < floor for run in runs])
    shares = {"chosen": chosen, "rejected": rejected, "both": chosen & rejected}
    return {side: cut.interval("all", share) for side, share in shares.items()}


def between(cut: Cut, runs: Mapping[str, Mapping[int, Run]]) -> dict[str, Any] | None:
    """Dual clip minus DPO, seed by seed and pair by pair; None unless both were run."""
    if not {"dpo", "dual_clip_dpo"} <= runs.keys():
        return None
    seeds = sorted(runs["dpo"].keys() & runs["dual_clip_dpo"].keys())
    if not seeds:
        return None
    ours, theirs = ({seed: runs[loss][seed] for seed in seeds} for loss in ("dual_clip_dpo", "dpo"))

    def gaps(of: Callable[[Run], Array]) -> Array:
        return np.stack([of(ours[seed]) - of(theirs[seed]) for seed in seeds])

    accuracy = {
        kind: {
            name: _judged(
                cut.interval(
                    name, gaps(lambda run, kind=kind: hits(margin(cut.table, run.ratios, kind)))
                )
            )
            for name in SLICES
        }
        for kind in MARGINS
    }
    moved = {
        side: _judged(cut.interval("all", gaps(lambda run, side=side: drift(cut.table, run, side))))
        for side in ("chosen", "rejected")
    }
    return {"seeds": seeds, "accuracy": accuracy, "drift_per_token": moved}
