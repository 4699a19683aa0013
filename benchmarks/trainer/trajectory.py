"""The losses of both sides step by step: one pair a prompt, in the same order."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.trainer.groups import pairs_of, read_groups
from benchmarks.trainer.jobs import Trainers
from benchmarks.trainer.plan import SetPlan
from benchmarks.trainer.prepared import choose_groups, prepare
from benchmarks.trainer.rows import TokenGroup
from benchmarks.trainer.speed import largest_difference, run_side


def measure_trajectory(trainers: Trainers, folder: Path, pairs: SetPlan) -> dict[str, Any]:
    """The comparison on prompts of the set `pairs`."""
    groups = choose_groups(trainers, list(read_groups(pairs, trainers.plan)))
    return compare_losses(trainers, folder, groups)


def compare_losses(
    trainers: Trainers, folder: Path, groups: Sequence[TokenGroup]
) -> dict[str, Any]:
    """Losses of both sides on the first of `groups`, and the largest difference of a step.

    Sigmoid loss, learning rate falling linearly without warm-up, no weight decay, gradients clipped
    to norm 1.
    """
    wanted = trainers.plan.trajectory
    prompts_per_step = wanted.pairs_per_step // len(pairs_of(len(groups[0].response_ids)))
    prepared = prepare(trainers, folder, groups, prompts_per_step, wanted.steps)
    ours = run_side(trainers, prepared, "ours", folder / "ours")["losses"]
    theirs = run_side(trainers, prepared, "trl", folder / "trl")["losses"]
    apart = largest_difference(ours, theirs)
    return {
        "steps": len(ours),
        "pairs_per_step": wanted.pairs_per_step,
        "largest_difference": apart,
        "goal": wanted.tolerance,
        "met": apart <= wanted.tolerance,
        "ours": ours,
        "trl": theirs,
    }
