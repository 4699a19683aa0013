"""A run that never happened: four rounds, one of them refused, with figures made up from a seed."""

import random
from typing import Any

from tasks.agreement.figures import QualityFigure
from tasks.agreement.known import FeedbackQuality
from tasks.canonical import digest
from tasks.findings import finding
from tasks.ledger.rounds import RoundFacts
from tasks.records import EvalReport
from tasks.report.run_data import RunData

OUTCOMES = ("promoted", "refused", "inconclusive", "promoted")
VERBS = {"sample": 410.0, "judge": 95.5, "pair": 3.2, "score": 22.0, "train": 640.0, "evaluate": 31}
CELLS = ("human", "large", "policy")


def example_run(rounds: int = 4, **changes: Any) -> RunData:
    """All of it; `changes` replace fields of the newest round's facts."""
    random_ = random.Random(0)
    facts: list[RoundFacts] = []
    reference = digest("sft")
    for index in range(rounds):
        more = changes if index == rounds - 1 else {}
        facts.append(round_facts(random_, index, reference, **more))
        reference = facts[-1].reference_out
    return RunData(run="harbour-2b", rounds=facts)


def round_facts(random_: random.Random, index: int, reference: str, **changes: Any) -> RoundFacts:
    outcome = OUTCOMES[index % len(OUTCOMES)]
    policy = digest(f"policy {index}")
    fields: dict[str, Any] = {
        "manifest": manifest(random_, index, outcome, reference, policy),
        "config": {
            "training": {"learning_rate": 5e-7 * (1 + index // 2)},
            "matrix": {name: {"strength": 9 - i} for i, name in enumerate(CELLS)},
            "evaluation": {"metrics": {"win": {"kind": "win_rate", "against": "sft"}}},
        },
        "evaluation": evaluation(random_, index, policy, reference),
        "sft": digest("sft"),
        "seconds": {verb: seconds * (1 + 0.1 * index) for verb, seconds in VERBS.items()},
        "begun_at": f"2026-11-{2 + 7 * index:02}T06:00:00.000+00:00",
        "ended_at": f"2026-11-{2 + 7 * index:02}T06:20:01.000+00:00",
        "code": ["0.1.0 (92fde1c)"],
        "feedback": feedback(random_),
        "training": {"loss": 0.61 - 0.02 * index, "margin": 0.4, "kl": 0.02 * index},
    }
    return RoundFacts(**fields | changes)


def manifest(
    random_: random.Random, index: int, outcome: str, reference: str, policy: str
) -> dict[str, Any]:
    out = reference if outcome == "refused" else policy
    slices = {
        name: {"n": n, "estimate": (mean := random_.gauss(0.02, 0.03)), "low": mean - w,
               "high": mean + w, "p_worse": 0.4, "minimum_detectable": w, "n_needed": 400}
        for name, n, w in (("win", 512, 0.028), ("win · poem", 74, 0.071), ("checks", 512, 0.02))
    }  # fmt: skip
    return {
        "round_index": index,
        "artifacts": {
            "sample-train-policy": {"rows": 4096, "uri": "u", "content": "c"},
            "pair": {"rows": 3400 + index, "uri": "u", "content": "c"},
        },
        "counts": {"collect-train": {"drawn": 1024}},
        "policy": {"sha256": policy, "step": 120},
        "reference_in": {"sha256": reference},
        "reference_out": {"sha256": out},
        "gate": {"outcome": outcome, "reasons": ["it is so"], "slices": slices,
                 "n_needed": {"win · poem": 400}},
        "findings": [] if index else [one_finding()],
        "spent_usd": {"sample large": 1.5, "judge main": 3.25},
        "matches": [
            {"a": "human", "b": "policy", "verdicts": 40, "a_wins": 31.0},
            {"a": "large", "b": "policy", "verdicts": 2048, "a_wins": 1100.5 - 90 * index},
        ],
        "pair_cells": [
            {"chosen": "large", "rejected": "policy", "pairs": 900},
            {"chosen": "policy", "rejected": "large", "pairs": 700},
            {"chosen": "policy", "rejected": "policy", "pairs": 300},
        ],
    }  # fmt: skip


def one_finding() -> dict[str, Any]:
    made = finding("chosen_falls_harmless", "chosen fell by 0.1 nats.")
    return {name: getattr(made, name) for name in ("title", "seen", "meaning", "next_step")} | {
        "level": "watch"
    }


def evaluation(random_: random.Random, index: int, policy: str, reference: str) -> list[EvalReport]:
    found = []
    for metric, start, gain in (("win", 0.5, 0.06), ("checks", 0.62, 0.03), ("words", 21.0, 0.4)):
        for who, checkpoint in (("policy", policy), ("sft", digest("sft"))):
            moved = gain * (index + 1) + random_.gauss(0, gain / 4) if who == "policy" else 0.0
            fixed = metric == "win" and who == "sft"
            found.append(
                EvalReport(
                    checkpoint=checkpoint, metric=metric, slice="all", value=start + moved,
                    standard_error=0.0 if fixed else gain / 3, n=512,
                )
            )  # fmt: skip
    return found


def feedback(random_: random.Random) -> FeedbackQuality:
    figures = [
        QualityFigure(
            annotator="main", other=other, criterion="overall", figure=name,
            estimate=(value := start + random_.gauss(0, 0.02)), low=value - 0.03, high=value + 0.03,
            n=900, prompts=500, reason="", version="v",
        )
        for name, other, start in (
            ("order_consistency", "", 0.82), ("judge_human_agreement", "people", 0.71)
        )
    ]  # fmt: skip
    return FeedbackQuality(figures=figures)
