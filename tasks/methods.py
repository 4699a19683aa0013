"""Methods beside each other: what their runs came to, on the same prompts, and what they took."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tasks.comparing import Compared, Terms, compared
from tasks.statistics import PairedValues, mean_of

SURE = 0.025
"""One-sided, adjusted for all comparisons of a table: below it a difference is beyond chance."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """A preset with recipes over it, as one seed of it runs."""

    name: str
    """The preset with its recipes, e.g. flows/mine.yaml+rpo."""
    shown: str
    """As tables call it, e.g. mine+rpo."""
    seed: int
    """Of the run."""
    run: str
    """Name of the run in the store."""
    rounds: int = 0
    """Rounds that it is to have."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Settings over preset and recipes, by dotted key."""


@dataclass(frozen=True, kw_only=True)
class MethodRun:
    """What one run of a method left."""

    method: Method
    """What was run."""
    rounds: int = 0
    """Committed rounds."""
    prompts: int = 0
    """Prompts that it was trained on."""
    pairs: int = 0
    """Pairs that its trainings were given."""
    calls: int = 0
    """Calls to servers that its stages hold, whoever made them."""
    usd: float = 0.0
    """What it paid itself."""
    seconds: float = 0.0
    """Time of its own calls of verbs."""
    shared_seconds: float = 0.0
    """What other runs of the comparison took for the stages that it found."""
    stages: int = 0
    """Stages that it names."""
    reused: int = 0
    """Of those, stages that an earlier run of the comparison had made."""
    measured_round: int | None = None
    """Round of the policy that was measured last; None if none was."""
    values: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By metric: value of that policy by prompt."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """That policy's figures as its round reported them."""
    failed: str = ""
    """Why it did not end well; empty if it did."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One metric of one method."""

    mean: float
    """Over prompts and seeds."""
    by_seed: Mapping[int, float]
    """The mean of each seed."""
    to_first: Compared | None = None
    """Less the first method, on the prompts of seeds that both have; None for itself, and where no
    prompt is in common."""

    @property
    def beyond_chance(self) -> bool:
        """Whether the difference is, all comparisons of the table together."""
        one = self.to_first
        sides = () if one is None else (one.p_better, one.p_worse)
        return any(p is not None and p <= SURE for p in sides)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method in the table."""

    name: str
    """As the table calls it."""
    runs: Sequence[MethodRun]
    """Those that ended well, by seed."""
    failed: Mapping[int, str]
    """Why others did not, by seed."""
    measures: Mapping[str, Measure]
    """By metric."""


def table_of(runs: Sequence[MethodRun], seed: int = 0) -> list[Row]:
    """A row for each method, in the order in which they come; the first is what others are held to.

    Intervals are a paired bootstrap over prompts, a prompt's value being its mean over seeds.
    """
    by_name: dict[str, list[MethodRun]] = {}
    for run in runs:
        by_name.setdefault(run.method.shown, []).append(run)
    well = {name: [one for one in some if not one.failed] for name, some in by_name.items()}
    first = next(iter(well))
    differences = _differences(first, well, seed)
    return [
        Row(
            name=name,
            runs=well[name],
            failed={one.method.seed: one.failed for one in some if one.failed},
            measures={
                metric: _measure(well[name], metric, differences.get((name, metric)))
                for metric in _metrics(well[name])
            },
        )
        for name, some in by_name.items()
    ]


def _metrics(runs: Sequence[MethodRun]) -> list[str]:
    """Metrics that all of `runs` have."""
    names = [list(run.figures) for run in runs]
    return [name for name in (names[0] if names else ()) if all(name in some for some in names)]


def _measure(runs: Sequence[MethodRun], metric: str, to_first: Compared | None) -> Measure:
    by_seed = {run.method.seed: _mean(run, metric) for run in runs}
    mean = sum(by_seed.values()) / len(by_seed)
    return Measure(mean=mean, by_seed=by_seed, to_first=to_first)


def _mean(run: MethodRun, metric: str) -> float:
    values = run.values.get(metric)
    return mean_of(values.values()).value if values else run.figures[metric]


def _differences(
    first: str, well: Mapping[str, Sequence[MethodRun]], seed: int
) -> dict[tuple[str, str], Compared]:
    """Each other method less the first, by name and metric."""
    sides: dict[str, PairedValues] = {}
    keys: dict[str, tuple[str, str]] = {}
    for name, runs in well.items():
        for metric in _metrics(runs) if name != first else ():
            ours, theirs = (_by_prompt(some, metric) for some in (runs, well[first]))
            common = sorted(ours.keys() & theirs.keys())
            if common:
                label = f"{name}\n{metric}"
                sides[label] = PairedValues(
                    policy=_averaged(ours, common), reference=_averaged(theirs, common)
                )
                keys[label] = (name, metric)
    found = compared(sides, Terms(seed=seed)) if sides else {}
    return {keys[label]: one for label, one in found.items()}


def _by_prompt(runs: Sequence[MethodRun], metric: str) -> dict[tuple[int, str], float]:
    """Values by seed and prompt."""
    return {
        (run.method.seed, prompt_id): value
        for run in runs
        for prompt_id, value in run.values.get(metric, {}).items()
    }


def _averaged(
    values: Mapping[tuple[int, str], float], keys: Sequence[tuple[int, str]]
) -> dict[str, float]:
    """The mean of each prompt's values over seeds."""
    by_prompt: defaultdict[str, list[float]] = defaultdict(list)
    for key in keys:
        by_prompt[key[1]].append(values[key])
    return {prompt_id: sum(some) / len(some) for prompt_id, some in by_prompt.items()}


def plain_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """`rows` as results hold them: everything but the values of single prompts."""
    return [
        {
            "method": row.name,
            "metrics": {
                name: {
                    "mean": one.mean,
                    "by_seed": {str(seed): value for seed, value in one.by_seed.items()},
                    "to_first": asdict(one.to_first) if one.to_first else None,
                    "beyond_chance": one.beyond_chance,
                }
                for name, one in row.measures.items()
            },
            "runs": [_plain_run(run) for run in row.runs],
            "failed": {str(seed): why for seed, why in row.failed.items()},
        }
        for row in rows
    ]


def _plain_run(run: MethodRun) -> dict[str, Any]:
    plain = asdict(run)
    method = plain.pop("method")
    del plain["values"], plain["failed"]
    return {name: method[name] for name in ("name", "run", "seed")} | plain
