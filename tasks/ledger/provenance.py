"""Where a preference pair comes from: prompt, responses, models, verdicts, people, cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.people.trail import Decision
from tasks.records import Prompt, Response

SHORT = 12
"""Digits of a digest that people are shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Author:
    """Who wrote one of the two responses, and how."""

    side: str
    """chosen or rejected; a or b where no pair was made."""
    response: Response
    """What was written."""
    model: str
    """The model, and the round it came out of where it is a policy; or who else wrote it."""
    settings: str
    """Engine and decoding in one line."""
    stage: str
    """URI of the stage that it lies in."""
    cost_usd: float | None
    """What one response of its cell cost in this round on average; None where nothing was paid."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """What a model thought of both responses."""

    by: str
    """reference or policy, with the first digits of its weights."""
    logps: Mapping[str, float]
    """By side: summed log-probability of the response (nats)."""
    tokens: Mapping[str, int]
    """By side: tokens that were scored."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Everything that led to one pair, and what became of it."""

    run: str
    """Name of the run."""
    round_index: int
    """The newest round that knows it."""
    pair_id: str
    """Empty where the comparison did not become a pair."""
    became: str
    """What became of it, as a sentence."""
    prompt: Prompt
    """What was asked."""
    authors: Sequence[Author]
    """Of both responses; the chosen one first."""
    decision: Decision
    """Who decided, and everybody's word."""
    judges: Mapping[str, str]
    """What each judge that spoke is: kind and model, by name."""
    scores: Sequence[Score]
    """Of reference and policy, as far as they scored it."""
    training: str
    """The training that read it, and what the gate said of its policy."""
    stages: Mapping[str, str]
    """URI of the manifest of each stage that had a part in it, by role."""
    elsewhere: Sequence[int]
    """Earlier rounds that know the same pair."""
    made: Sequence[str] = ()
    """Where responses come from that transforms made, as sentences."""

    @property
    def verdicts_usd(self) -> float | None:
        """What the verdicts on it cost; None where no cost is known."""
        known = [one.cost_usd for one in self.decision.said if one.cost_usd is not None]
        return sum(known) if known else None

    @property
    def known_costs(self) -> int:
        """Verdicts whose cost is known."""
        return sum(one.cost_usd is not None for one in self.decision.said)


def weights_named(sha256: str, sft: str, policies: Mapping[int, str]) -> str:
    """What the weights `sha256` are: the SFT model, the policy after a round, or others."""
    if sha256 == sft:
        return f"SFT model ({sha256[:SHORT]})"
    for round_index, policy in sorted(policies.items()):
        if sha256 == policy:
            return f"policy after round {round_index} ({sha256[:SHORT]})"
    return f"weights {sha256[:SHORT]}"


def cell_model(cell: Mapping[str, Any], sampled: str, sft: str, policies: Mapping[int, str]) -> str:
    """The model of a cell as its settings and its finished stage name it."""
    model, revision = str(cell.get("model") or ""), str(cell.get("revision") or "")
    if model == "policy" or model.startswith("round:"):
        return weights_named(sampled, sft, policies)
    if cell.get("engine") == "recorded":
        files = [str(one["file"]) for one in cell.get("files", [])]
        return f"recorded in {', '.join(files)}"
    named = f"{model} revision {revision}" if revision else model
    return f"{named} ({sampled[:SHORT]})" if sampled else named


def cell_settings(cell: Mapping[str, Any]) -> str:
    """Engine and decoding settings of a cell in one line."""
    names = ("temperature", "top_p", "max_tokens", "system")
    decoding = [] if cell.get("engine") == "recorded" else [n for n in names if cell.get(n)]
    return ", ".join([str(cell.get("engine", "")), *(f"{n} {cell[n]}" for n in decoding)])


def judge_named(settings: Mapping[str, Any]) -> str:
    """What a judge is: its kind, and the model behind it where there is one."""
    inner = settings.get("judge")
    model = settings.get("model") or (inner.get("kind") if isinstance(inner, Mapping) else "")
    kind = str(settings.get("kind", ""))
    return f"{kind} ({model})" if model else kind
