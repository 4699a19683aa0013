"""Pairs/s, distinct response tokens/s and memory of both sides on one set of pairs."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.trainer.groups import read_groups
from benchmarks.trainer.jobs import Trainers
from benchmarks.trainer.plan import SIDES, SetPlan, Side
from benchmarks.trainer.prepared import Prepared, choose_groups, prepare
from benchmarks.trainer.rows import num_tokens

Figures = dict[str, Any]


def measure_set(trainers: Trainers, folder: Path, wanted: SetPlan) -> Figures:
    """The figures of one set: every repetition, medians, ratios, and goals met or not."""
    groups = choose_groups(trainers, list(read_groups(wanted, trainers.plan)))
    prepared = prepare(trainers, folder, groups, wanted.prompts_per_step, wanted.steps)
    runs: dict[Side, list[Figures]] = {side: [] for side in SIDES}
    differences = []
    for repetition in range(trainers.plan.repetitions):
        losses = {}
        for side in SIDES:
            result = run_side(trainers, prepared, side, folder / f"{side}-{repetition}")
            losses[side] = result["losses"]
            order = prepared.order(side, trainers.plan.seed)
            runs[side].append(figures(prepared, wanted, order, result))
        differences.append(largest_difference(losses["ours"], losses["trl"]))
    medians = {side: _medians(of_side) for side, of_side in runs.items()}
    return {
        "data": describe(prepared, len(groups), wanted),
        "medians": medians,
        "goals": goals(medians, wanted.goals),
        "largest_loss_difference_to_trl": max(differences),
        "repetitions": runs,
    }


def run_side(trainers: Trainers, prepared: Prepared, side: Side, workdir: Path) -> Figures:
    """One measurement; `load` is the machine's load when it began."""
    load = os.getloadavg()[0]
    if side == "ours":
        result = trainers.ours(workdir, prepared.examples, prepared.our_settings())
    else:
        result = trainers.trl(workdir, prepared.rows(side), prepared.trl_settings())
        seen = [row for rows, _ in result["batches"] for row in rows]
        if seen != prepared.order(side, trainers.plan.seed):
            raise ValueError(f"{workdir}: TRL did not train on the rows in their order")
    return {"load": load, **result}


def figures(prepared: Prepared, wanted: SetPlan, order: Sequence[int], result: Figures) -> Figures:
    """Figures of one run over the steps after the warm-up; `order` of the pairs is the run's."""
    marks = result["seconds_at"]
    if len(marks) != wanted.steps:
        raise ValueError(f"{len(marks)} steps were made, {wanted.steps} were wanted")
    seconds = marks[-1] - marks[wanted.warmup_steps - 1]
    timed = order[wanted.warmup_steps * wanted.pairs_per_step :]
    found: Figures = {
        "seconds": round(seconds, 3),
        "pairs_per_second": len(timed) / seconds,
        "distinct_response_tokens_per_second": distinct_tokens(prepared, timed) / seconds,
        "memory_rise_mb": (result["peak_bytes_at"][-1] - result["loaded_bytes"]) / 1e6,
        "loaded_mb": result["loaded_bytes"] / 1e6,
        "load_before": result["load"],
    }
    if "batches" in result:
        positions = sum(2 * len(rows) * width for rows, width in result["batches"])
        found["padding_share"] = 1 - num_tokens(prepared.groups, prepared.pairs) / positions
    return found


def distinct_tokens(prepared: Prepared, rows: Sequence[int]) -> int:
    """Tokens of the responses in `rows`, each response counted once."""
    responses = {
        (pair.group, response)
        for pair in (prepared.pairs[row] for row in rows)
        for response in (pair.chosen, pair.rejected)
    }
    return sum(len(prepared.groups[group].response_ids[one]) for group, one in responses)


def describe(prepared: Prepared, available: int, wanted: SetPlan) -> Figures:
    """What the set looks like."""
    return {
        "prompts": len(prepared.groups),
        "prompts_available": available,
        "responses_per_prompt": wanted.responses,
        "pairs": len(prepared.pairs),
        "pairs_per_step": wanted.pairs_per_step,
        "prompts_per_step": wanted.prompts_per_step,
        "device_batches_per_step_trl": prepared.device_batches,
        "tokens_per_microbatch_ours": prepared.tokens_per_microbatch,
        "warmup_steps": wanted.warmup_steps,
        "timed_steps": wanted.timed_steps,
        "median_prompt_tokens": median(len(one.prompt_ids) for one in prepared.groups),
        "median_response_tokens": median(
            len(ids) for one in prepared.groups for ids in one.response_ids
        ),
    }


def goals(medians: Mapping[Side, Figures], wanted: Mapping[str, float]) -> list[Figures]:
    """Each ratio with its goal, if it has one, and whether that is met."""
    listed = []
    ours = medians["ours"]
    for side in SIDES[1:]:
        theirs = medians[side]
        pairs = ours["pairs_per_second"] / theirs["pairs_per_second"]
        memory = ours["memory_rise_mb"] / theirs["memory_rise_mb"]
        listed += [
            _goal(f"pairs/s, ours / {side}", pairs, wanted.get(side), at_least=True),
            _goal(f"memory rise, ours / {side}", memory, wanted["memory"], at_least=False),
        ]
    return listed


def _goal(what: str, ratio: float, goal: float | None, *, at_least: bool) -> Figures:
    met = None if goal is None else (ratio >= goal if at_least else ratio <= goal)
    return {"what": what, "ratio": ratio, "goal": goal, "at_least": at_least, "met": met}


def largest_difference(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The largest |difference| of the losses of a step; ValueError for unequal numbers of steps."""
    return max(abs(one - other) for one, other in zip(ours, theirs, strict=True))


def _medians(runs: Sequence[Figures]) -> Figures:
    return {name: median(run[name] for run in runs) for name in runs[0]}
