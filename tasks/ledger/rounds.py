"""What is known of a committed round without reading its rows: for the log, the run page, cards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.agreement.known import FeedbackQuality
from tasks.claims import changed_keys
from tasks.derivations import transforms_among
from tasks.findings import Finding
from tasks.matches import Match, PairCells
from tasks.records import EvalReport

WHOLE = "all"
"""The slice that is not a slice."""
WHO = ("policy", "reference", "sft")
"""Whose figures a round has."""
NOT_SHOWN = ("storage", "machine", "placement", "card")
"""Sections that do not change what comes out."""
_SIGMAS = 1.96


@dataclass(frozen=True, kw_only=True)
class RoundFacts:
    """One committed round."""

    manifest: Mapping[str, Any]
    """As it was committed."""
    config: Mapping[str, Any]
    """Its configuration."""
    evaluation: Sequence[EvalReport]
    """What was measured."""
    sft: str
    """sha256 of the SFT model."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Time of each verb, where it was noted."""
    begun_at: str = ""
    """When its first verb began: ISO 8601, UTC; empty where that was not noted."""
    ended_at: str = ""
    """When its last verb ended."""
    code: Sequence[str] = ()
    """Versions of the code that worked on it, in order."""
    feedback: FeedbackQuality = field(default_factory=FeedbackQuality)
    """How good judges and people are."""
    training: Mapping[str, float] = field(default_factory=dict)
    """Means of step metrics over the last tenth of the steps."""
    decisions: Sequence[Mapping[str, Any]] = ()
    """What people decided about it afterwards, the last one last."""

    @property
    def index(self) -> int:
        """Of the round."""
        return int(self.manifest["round_index"])

    @property
    def outcome(self) -> str:
        """promoted, inconclusive or refused, as the gate said."""
        return str(self.manifest["gate"]["outcome"])

    @property
    def policy(self) -> str:
        """sha256 of the weights that it trained."""
        return str(self.manifest["policy"]["sha256"])

    @property
    def reference_in(self) -> str:
        """sha256 of the reference that it began with."""
        return str(self.manifest["reference_in"]["sha256"])

    @property
    def reference_out(self) -> str:
        """sha256 of the reference that the gate left."""
        return str(self.manifest["reference_out"]["sha256"])

    @property
    def usd(self) -> float:
        """What its calls cost."""
        return float(sum(self.manifest.get("spent_usd", {}).values()))

    @property
    def all_seconds(self) -> float | None:
        """Time of all verbs; None where it was not noted."""
        return sum(self.seconds.values()) if self.seconds else None

    @property
    def findings(self) -> list[Finding]:
        """What the diagnosis said of its training."""
        return [Finding(**row) for row in self.manifest.get("findings", [])]

    @property
    def matches(self) -> list[Match]:
        """Who beats whom."""
        return [Match(**row) for row in self.manifest.get("matches", [])]

    @property
    def pair_cells(self) -> list[PairCells]:
        """Who wins pairs."""
        return [PairCells(**row) for row in self.manifest.get("pair_cells", [])]

    def count(self, role: str, name: str) -> int:
        """A count of one stage, 0 where there is none."""
        return int(self.manifest["counts"].get(role, {}).get(name, 0))

    @property
    def responses(self) -> int:
        """Responses that its cells gave to its train prompts."""
        return sum(
            one["rows"]
            for role, one in self.manifest["artifacts"].items()
            if role.startswith("sample-train-")
        )

    @property
    def pairs(self) -> int:
        """Pairs that it made to train on, before transforms."""
        artifact = self.manifest["artifacts"].get("pair", {})
        return int(artifact.get("rows", 0))

    @property
    def given(self) -> int:
        """Pairs that training was given: as transforms left them, replayed ones among them."""
        artifacts = self.manifest["artifacts"]
        roles = ("pair", *transforms_among(artifacts), "replay-pairs")
        rows = [int(artifacts[role]["rows"]) for role in roles if role in artifacts]
        return rows[-1] if rows else 0

    @property
    def labels(self) -> int:
        """Labels of single responses that training was given."""
        return self.count("pair", "labels") - self.count("pair", "held_out_labels")

    def figure(self, metric: str, part: str = WHOLE, who: str = "policy") -> EvalReport | None:
        """What was measured of the policy, the reference or the SFT model."""
        wanted = {"policy": self.policy, "reference": self.reference_in, "sft": self.sft}[who]
        for row in self.evaluation:
            if (row.checkpoint, row.metric, row.slice) == (wanted, metric, part):
                return row
        return None

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics measured over the whole of the policy, in their order."""
        return [
            row.metric
            for row in self.evaluation
            if row.checkpoint == self.policy and row.slice == WHOLE
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A setting with two values."""

    key: str
    """Dotted."""
    before: Any
    """None where it was not there."""
    after: Any
    """None where it is no more."""


def main_metric(rounds: Sequence[RoundFacts]) -> str | None:
    """What a run is told by: the first win rate against the SFT model, else the first metric.

    `rounds` are in their order; the newest that was measured says which metrics there are.
    """
    newest = next((one for one in reversed(rounds) if one.metrics), None)
    if newest is None:
        return None
    metrics = newest.config.get("evaluation", {}).get("metrics", {})
    wins = [
        name
        for name in newest.metrics
        if "win_rate" in str(metrics.get(name, {}).get("kind", ""))
        and metrics[name].get("against", "sft") == "sft"
    ]
    return next(iter([*wins, *newest.metrics]), None)


def interval(report: EvalReport) -> tuple[float, float]:
    """The ends of 95 % around a mean over prompts; both are the value where no error is known."""
    width = _SIGMAS * (report.standard_error or 0.0)
    return report.value - width, report.value + width


def settings_changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """What differs between two configurations, by dotted key; how and where work is done aside."""
    keys = [key for key in changed_keys(before, after) if key.partition(".")[0] not in NOT_SHOWN]
    return [Change(key=key, before=_at(before, key), after=_at(after, key)) for key in keys]


def _at(config: Mapping[str, Any], dotted: str) -> Any:
    """The value behind a dotted key; names may hold dots themselves."""
    found: Any = config
    rest = dotted
    while rest:
        if not isinstance(found, Mapping):
            return None
        name = next((one for one in found if rest == one or rest.startswith(f"{one}.")), None)
        if name is None:
            return None
        found, rest = found[name], rest[len(name) + 1 :]
    return found
