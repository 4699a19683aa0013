"""The rounds of a run as entries of a log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.ledger.rounds import WHOLE, Change, RoundFacts, interval, settings_changed


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedFigure:
    """One metric of the policy over all evaluation prompts."""

    metric: str
    """Its name."""
    value: float
    """The estimate."""
    low: float
    """Lower end of 95 %."""
    high: float
    """Upper end of 95 %."""
    n: int
    """Prompts that it rests on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One round."""

    round_index: int
    """0-based."""
    outcome: str
    """What the gate said."""
    reasons: Sequence[str]
    """Why, in its words."""
    decisions: Sequence[Mapping[str, Any]]
    """What people decided about it afterwards."""
    begun_at: str
    """ISO 8601, UTC; empty where it was not noted."""
    ended_at: str
    """As `begun_at`."""
    seconds: float | None
    """Time of all verbs; None where it was not noted."""
    usd: float
    """What its calls cost."""
    reference: str
    """sha256 of the reference that it began with."""
    policy: str
    """sha256 of what it trained."""
    refreshed: bool
    """Whether the policy became the reference."""
    steps: int
    """Optimizer steps."""
    prompts: int
    """Prompts that it trained on."""
    responses: int
    """Responses to them."""
    pairs: int
    """Pairs given to training."""
    labels: int
    """Labels of single responses given to training."""
    figures: Sequence[LoggedFigure]
    """Of the policy."""
    changed: Sequence[Change]
    """Settings that differ from those of the round before."""
    code: Sequence[str]
    """Versions of the code that worked on it."""
    redo: Mapping[str, int]
    """Verbs that were done again, and how often."""


def entries(rounds: Sequence[RoundFacts]) -> list[Entry]:
    """An entry a round, the newest first; `rounds` are in their order."""
    before = [None, *rounds[:-1]]
    return [_entry(now, last) for now, last in zip(rounds, before, strict=True)][::-1]


def _entry(now: RoundFacts, last: RoundFacts | None) -> Entry:
    manifest = now.manifest
    return Entry(
        round_index=now.index,
        outcome=now.outcome,
        reasons=list(manifest["gate"].get("reasons", [])),
        decisions=now.decisions,
        begun_at=now.begun_at,
        ended_at=now.ended_at,
        seconds=now.all_seconds,
        usd=now.usd,
        reference=now.reference_in,
        policy=now.policy,
        refreshed=now.reference_out == now.policy,
        steps=int(manifest["policy"]["step"]),
        prompts=now.count("collect-train", "drawn"),
        responses=now.responses,
        pairs=now.pairs,
        labels=now.labels,
        figures=[_figure(now, metric) for metric in now.metrics],
        changed=[] if last is None else settings_changed(last.config, now.config),
        code=now.code,
        redo=manifest.get("redo", {}),
    )


def _figure(now: RoundFacts, metric: str) -> LoggedFigure:
    report = now.figure(metric, WHOLE)
    assert report is not None
    low, high = interval(report)
    return LoggedFigure(metric=metric, value=report.value, low=low, high=high, n=report.n)
