"""The figures of a plan, from its measured runs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.study.intervals import Estimate, array_of, estimate, figures
from benchmarks.study.plan import Plan
from benchmarks.study.runs import Found, Run

POLICY, START = "policy", "sft"
"""What a column is of, and the model that it began as."""


def table(plan: Plan, found: Found) -> dict[str, Any]:
    """Shares by variant and column, differences to the main variant, and what each run took."""
    return {
        "plan": asdict(plan),
        "coincide": coincide(plan, found),
        "variants": {name: of_variant(plan, by_seed) for name, by_seed in found.items()},
        "cells": cells(plan, found.get(plan.main, {})),
        "began_as": {
            one["title"]: share(
                found.get(plan.main, {}), one["of"].replace(POLICY, START, 1), one["measure"]
            )
            for one in plan.columns
        },
        "differences": {
            one["title"]: figures(differences(plan, found, one), plan.delta) for one in plan.columns
        },
    }


def of_variant(plan: Plan, by_seed: Mapping[int, Run]) -> dict[str, Any]:
    """What the runs of one variant came to."""
    runs = [by_seed[seed] for seed in sorted(by_seed)]
    return {
        "seeds": sorted(by_seed),
        "columns": {
            one["title"]: share(by_seed, one["of"], one["measure"]) for one in plan.columns
        },
        "slices": slices(plan, runs),
        "counts": mean_counts(runs),
        "rounds": by_round([run.facts.figures for run in runs]),
        "training": by_round([run.facts.training for run in runs]),
        "seconds": [run.seconds for run in runs],
        "commits": sorted({run.commit for run in runs}),
    }


def share(by_seed: Mapping[int, Run], of: str, measure: str) -> dict[str, Any] | None:
    """Mean of a measure over seeds and prompts with its interval; None where it is not there."""
    values = {
        seed: run.values[of][measure]
        for seed, run in by_seed.items()
        if measure in run.values.get(of, {})
    }
    if not values:
        return None
    seeds = sorted(values)
    array = array_of(values, seeds)
    return {**estimate(array).rounded(), "by_seed": [round(float(one), 4) for one in array.mean(1)]}


def slices(plan: Plan, runs: list[Run]) -> dict[str, dict[str, float]]:
    """The means of every metric and slice, by what answered."""
    wanted = {one["of"] for one in plan.columns}
    found: dict[str, dict[str, float]] = {}
    for of in sorted(wanted):
        for name in sorted(set.intersection(*(set(run.values.get(of, {})) for run in runs))):
            means = [float(np.mean(list(run.values[of][name].values()))) for run in runs]
            found.setdefault(of, {})[name] = round(float(np.mean(means)), 4)
    return found


def mean_counts(runs: list[Run]) -> dict[str, float]:
    """What a run of the variant had of everything that was counted, on average."""
    names = {name for run in runs for name in run.facts.counts}
    return {
        name: round(float(np.mean([run.facts.counts.get(name, 0) for run in runs])), 1)
        for name in sorted(names)
    }


def by_round(runs: list[list[dict[str, float]]]) -> list[dict[str, float]]:
    """Mean figures over runs, round by round, of what all of them have."""
    return [mean_of(one) for one in zip(*runs, strict=True)]


def mean_of(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means of the figures that are in all of `figures`."""
    names = sorted(set.intersection(*(set(one) for one in figures)))
    return {name: round(float(np.mean([one[name] for one in figures])), 4) for name in names}


def cells(plan: Plan, main: Mapping[int, Run]) -> dict[str, dict[str, Any]]:
    """What the other models of the main variant's runs reach, in the columns' measures."""
    names = {name for run in main.values() for name in run.values}
    others = sorted(name for name in names if name.partition("@")[0] != POLICY)
    measures = sorted({one["measure"] for one in plan.columns})
    found = {
        name: {one: value for one in measures if (value := share(main, name, one)) is not None}
        for name in others
    }
    return {name: values for name, values in found.items() if values}


def differences(plan: Plan, found: Found, column: Mapping[str, str]) -> dict[str, Estimate]:
    """Main variant minus each other one, and minus the model it began as, in one column."""
    of, measure = column["of"], column["measure"]
    main = found.get(plan.main, {})
    rivals = {name: (some, of) for name, some in found.items() if name != plan.main}
    rivals[START] = (main, of.replace(POLICY, START, 1))
    result = {}
    for name, (others, theirs) in rivals.items():
        seeds = sorted(
            seed
            for seed in main.keys() & others.keys()
            if measure in others[seed].values.get(theirs, {})
        )
        if seeds:
            ours = {seed: main[seed].values[of][measure] for seed in seeds}
            rival = {seed: others[seed].values[theirs][measure] for seed in seeds}
            result[name] = estimate(array_of(ours, seeds) - array_of(rival, seeds))
    return result


def coincide(plan: Plan, found: Found) -> dict[str, list[int]]:
    """Seeds in which a variant made the main variant's policy: no reward passed a bound."""
    main = found.get(plan.main, {})
    same = {
        name: sorted(
            seed
            for seed in main.keys() & by_seed.keys()
            if by_seed[seed].facts.policies[-1] == main[seed].facts.policies[-1]
        )
        for name, by_seed in found.items()
        if name != plan.main
    }
    return {name: seeds for name, seeds in same.items() if seeds}
