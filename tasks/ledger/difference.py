"""What changed between two rounds: settings, stages, counts, figures, pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from tasks.claims import changed_keys
from tasks.ledger.rounds import WHOLE, Change, RoundFacts
from tasks.measuring import Measured
from tasks.records import PreferencePair
from tasks.statistics import Mean, bootstrap_means, holm

CONFIDENCE = 0.95
RESAMPLES = 2000
KEY_PARTS = ("settings", "inputs", "seeds", "fingerprints", "semantics")
"""What a stage's key is made of, its verb aside."""
SEED = 0
"""Of the bootstrap: the same two rounds give the same intervals."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StageChange:
    """One role in both rounds."""

    role: str
    """E.g. sample-train-policy."""
    state: str
    """same (one stage for both), equal (other stages, equal rows), other, new or gone."""
    because: Sequence[str]
    """Parts of the stage's key that differ: settings.beta, inputs.prompts, seeds.round."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CountChange:
    """A count that differs."""

    role: str
    """The stage."""
    name: str
    """What was counted, or the reason why it was dropped."""
    before: int
    """0 where it was not counted."""
    after: int
    """0 where it is not counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FigureChange:
    """One metric of the policies of both rounds, on one slice."""

    metric: str
    """Its name."""
    slice: str
    """`all`, or a part of the prompts."""
    before: float
    """Mean over the prompts of the first round."""
    after: float
    """Mean over the prompts of the second round."""
    difference: float
    """After less before; over the prompts of both where it is paired."""
    low: float
    """Lower end of the interval of the difference."""
    high: float
    """Upper end of the interval of the difference."""
    n: int
    """Prompts that it rests on; of both rounds together where it is not paired."""
    paired: bool
    """Whether the same prompts were answered in both rounds."""
    beyond_chance: bool
    """Whether the difference is significant, Holm-corrected over all figures that are compared."""
    note: str
    """What a reader should know before comparing; mostly empty."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PairsChange:
    """The preference pairs of both rounds, those that are held out included."""

    before: int
    """Pairs of the first round."""
    after: int
    """Pairs of the second round."""
    same: int
    """Pairs of both."""
    turned: Sequence[tuple[str, str]]
    """Chosen and rejected response of the first round, which are the other way in the second."""
    prompts_before: int
    """Prompts with pairs in the first round."""
    prompts_after: int
    """Prompts with pairs in the second round."""
    prompts_in_both: int
    """Prompts with pairs in both rounds."""

    @property
    def gone(self) -> int:
        """Pairs of the first round alone, turned ones aside."""
        return self.before - self.same - len(self.turned)

    @property
    def new(self) -> int:
        """Pairs of the second round alone, turned ones aside."""
        return self.after - self.same - len(self.turned)


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Two rounds compared."""

    settings: Sequence[Change]
    """Settings with other values."""
    code: Sequence[Sequence[str]]
    """Versions of the code of each round."""
    outcomes: Sequence[str]
    """What the gate said of each."""
    references: Sequence[str]
    """The reference that each began with."""
    policies: Sequence[str]
    """What each trained."""
    stages: Sequence[StageChange]
    """Every stage of either."""
    counts: Sequence[CountChange]
    """Counts that differ."""
    figures: Sequence[FigureChange]
    """What was measured in both."""
    pairs: PairsChange
    """Pairs of either."""


def stage_changes(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
) -> list[StageChange]:
    """Role by role; a stage is {content, key}, its manifest's."""
    roles = [*before, *(role for role in after if role not in before)]
    return [_stage_change(role, before.get(role), after.get(role)) for role in sorted(roles)]


def _stage_change(
    role: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> StageChange:
    if before is None or after is None:
        return StageChange(role=role, state="new" if before is None else "gone", because=[])
    because = [
        key
        for part in KEY_PARTS
        for key in changed_keys({part: before["key"].get(part)}, {part: after["key"].get(part)})
    ]
    equal = before["content"] == after["content"]
    state = "same" if not because else "equal" if equal else "other"
    return StageChange(role=role, state=state, because=because)


def count_changes(before: RoundFacts, after: RoundFacts) -> list[CountChange]:
    """Counts that differ, in the order of the second round's stages."""
    counts = [one.manifest["counts"] for one in (before, after)]
    roles = [*counts[1], *(role for role in counts[0] if role not in counts[1])]
    found = []
    for role in roles:
        one, other = (side.get(role, {}) for side in counts)
        for name in [*other, *(name for name in one if name not in other)]:
            was, is_now = int(one.get(name, 0)), int(other.get(name, 0))
            if was != is_now:
                found.append(CountChange(role=role, name=name, before=was, after=is_now))
    return found


Values = Mapping[tuple[str, str], Mapping[str, float]]
"""By metric and slice: the policy's value by prompt_id."""


def values_of(measured: Sequence[Measured]) -> Values:
    """The policy's values of a round."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for one in measured:
        if one.who == "policy":
            found.setdefault((one.metric, one.slice), {})[one.prompt_id] = one.value
    return found


class FigureSide(NamedTuple):
    """What was measured of the policy of one round."""

    facts: RoundFacts
    """Its round."""
    values: Values
    """Prompt by prompt, for metrics that are means over prompts."""

    def keys(self, *, slices: bool) -> list[tuple[str, str]]:
        """Metric and slice of every figure; `all` alone unless `slices`."""
        return [
            (row.metric, row.slice)
            for row in self.facts.evaluation
            if row.checkpoint == self.facts.policy and (slices or row.slice == WHOLE)
        ]

    def mean(self, key: tuple[str, str]) -> Mean:
        """The figure as it was reported."""
        report = self.facts.figure(*key)
        assert report is not None
        return Mean(report.value, report.standard_error, report.n)


def figure_changes(before: FigureSide, after: FigureSide, *, slices: bool) -> list[FigureChange]:
    """Every metric of both rounds over all prompts, or with `slices` on every slice.

    Intervals hold 95 % each: a paired bootstrap where the prompts are the same, else a normal one
    for two independent means.
    """
    known = set(before.keys(slices=slices))
    keys = [key for key in after.keys(slices=slices) if key in known]
    compared = {key: _compared(before, after, key) for key in keys}
    p_values = {"\n".join(key): one.p_value for key, one in compared.items()}
    significant = set(holm(p_values, 1 - CONFIDENCE))
    notes = notes_on(before.facts, after.facts)
    return [
        FigureChange(
            metric=key[0],
            slice=key[1],
            before=before.mean(key).value,
            after=after.mean(key).value,
            difference=one.difference,
            low=one.low,
            high=one.high,
            n=one.n,
            paired=one.paired,
            beyond_chance="\n".join(key) in significant,
            note=notes.get(key[0], ""),
        )
        for key, one in compared.items()
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Compared:
    """A difference of two means."""

    difference: float
    low: float
    high: float
    p_value: float
    n: int
    paired: bool


def _compared(before: FigureSide, after: FigureSide, key: tuple[str, str]) -> _Compared:
    first, second = (one.values.get(key, {}) for one in (before, after))
    if first and first.keys() == second.keys():
        return _paired(first, second)
    return _unpaired(before.mean(key), after.mean(key))


def _paired(before: Mapping[str, float], after: Mapping[str, float]) -> _Compared:
    differences = np.array([after[one] - before[one] for one in sorted(before)], dtype=float)
    means = bootstrap_means(differences, SEED, RESAMPLES)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    side = min((means <= 0).sum(), (means >= 0).sum())
    return _Compared(
        difference=float(differences.mean()),
        low=float(low),
        high=float(high),
        p_value=min(1.0, float(2 * (1 + side) / (RESAMPLES + 1))),
        n=len(differences),
        paired=True,
    )


def _unpaired(one: Mean, other: Mean) -> _Compared:
    difference = other.value - one.value
    if one.standard_error is None or other.standard_error is None:
        low, high, p_value = -np.inf, np.inf, 1.0
    else:
        error = float(np.hypot(one.standard_error, other.standard_error))
        width = float(ndtri((1 + CONFIDENCE) / 2)) * error
        low, high = difference - width, difference + width
        p_value = float(2 * ndtr(-abs(difference) / error)) if error else float(not difference)
    return _Compared(
        difference=difference, low=low, high=high, p_value=p_value, n=one.n + other.n, paired=False
    )


def pairs_change(before: Sequence[PreferencePair], after: Sequence[PreferencePair]) -> PairsChange:
    """Which pairs both rounds have, and which are the other way round."""
    first = {(one.chosen_id, one.rejected_id) for one in before}
    second = {(one.chosen_id, one.rejected_id) for one in after}
    asked = [{one.prompt_id for one in pairs} for pairs in (before, after)]
    return PairsChange(
        before=len(first),
        after=len(second),
        same=len(first & second),
        turned=sorted(one for one in first if (one[1], one[0]) in second),
        prompts_before=len(asked[0]),
        prompts_after=len(asked[1]),
        prompts_in_both=len(asked[0] & asked[1]),
    )


def notes_on(before: RoundFacts, after: RoundFacts) -> dict[str, str]:
    """By metric: why its figures of the two rounds are not the same question."""
    metrics = [one.config.get("evaluation", {}).get("metrics", {}) for one in (before, after)]
    moved = before.reference_in != after.reference_in
    notes = {}
    for name, settings in metrics[1].items():
        if metrics[0].get(name) != settings:
            notes[name] = "its settings changed"
        elif moved and settings.get("against") == "reference":
            notes[name] = "another opponent: the reference moved"
    return notes
