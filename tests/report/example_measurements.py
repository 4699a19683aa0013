"""The numbers of the made-up round: optimizer steps, evaluation, lineage, gate."""

import math
import random
from typing import Any

from tasks.canonical import digest
from tasks.measuring import Measured
from tasks.records import EvalReport, Prompt
from tasks.report.movements import Movements, movements
from tasks.statistics import Mean
from tasks.training_evidence import Evidence, HeldOut, Lengths


def steps(random_: random.Random, number: int) -> list[dict[str, float]]:
    steps = []
    for step in range(number):
        done = 1 - math.exp(-step / 45)
        noise = [random_.gauss(0, 0.04) for _ in range(4)]
        chosen, rejected = 0.7 * done + noise[0], -1.6 * done + noise[1]
        margin = chosen - rejected
        steps.append(
            {
                "step": step,
                "loss": math.log(1 + math.exp(-margin)),
                "reward_chosen": chosen,
                "reward_rejected": rejected,
                "margin": margin,
                "accuracy": min(1.0, 0.5 + 0.38 * done + noise[2]),
                "clipped_chosen": max(0.0, 0.18 * done + noise[2] / 3),
                "clipped_rejected": max(0.0, 0.41 * done + noise[3] / 2),
                "clipped_both": max(0.0, 0.11 * done + noise[0] / 4),
                "chosen_logp": -41.2 + 7 * done - 9 * done**2 + 5 * noise[0],
                "rejected_logp": -44.0 - 16 * done + 5 * noise[1],
                "chosen_logp_per_token": -1.21 + 0.2 * done - 0.33 * done**2 + noise[0] / 2,
                "rejected_logp_per_token": -1.30 - 0.42 * done + noise[1] / 2,
                "chosen_tokens": 38.0 + 20 * noise[2],
                "rejected_tokens": 33.0 + 20 * noise[3],
                "solved": max(0.0, 0.14 * done + noise[0] / 4),
                "kl": 0.11 * done**2 + abs(noise[1]) / 9,
                "entropy": 1.6 - 0.35 * done + noise[2] / 2,
                "gradient_norm": 1.4 - done + noise[3] + (19.0 if step == 71 else 0.0),
                "learning_rate": 5e-7 * (1 - step / number),
                "tokens_per_second": 11800 + 900 * noise[1],
            }
        )
    return steps


def evidence(made: list[dict[str, float]]) -> Evidence:
    """What goes with these steps: held-out pairs that hold, and pairs that teach length."""
    return Evidence(
        steps=made,
        ended="epochs",
        held_out=HeldOut(Mean(-0.011, 0.006, 148), Mean(-0.29, 0.02, 148)),
        answers=Lengths(27.9, 24.1, Mean(3.8, 0.9, 512)),
        pairs=Lengths(36.2, 28.7, Mean(7.5, 0.4, 588)),
    )


def evaluation(random_: random.Random) -> list[EvalReport]:
    rows = []
    levels = {"win_against_sft": (0.5, 0.1), "check_pass_rate": (0.68, 0.06), "length": (24, 2.0)}
    for metric, (start, gain) in levels.items():
        for slice_, n in (("all", 512), ("points", 140), ("poem", 74), ("sentence", 156)):
            for rank, name in enumerate(("sft", "reference", "policy")):
                fixed = metric == "win_against_sft" and name == "sft"
                spread = 9.0 if metric == "length" else 0.48
                error = spread / math.sqrt(n)
                rows.append(
                    EvalReport(
                        checkpoint=digest(name),
                        metric=metric,
                        slice=slice_,
                        n=n,
                        value=start
                        + (0 if fixed else gain * rank / 2 + random_.gauss(0, error / 2)),
                        standard_error=None if fixed else error,
                    )
                )
    return rows


def moved(random_: random.Random, prompts: list[Prompt], texts: list[str]) -> Movements:
    """Evaluation prompts that a judge and a check tell apart; two texts for each."""
    answered = {
        one.prompt_id: (one, texts[2 * index], texts[2 * index + 1])
        for index, one in enumerate(prompts)
    }
    measured = [
        Measured(
            metric=metric, slice="all", who=who, prompt_id=one.prompt_id,
            value=random_.choice(values[who]), higher_is_better=True,
        )
        for one in prompts
        for metric, values in (
            ("win_against_reference", {"reference": (0.5,), "policy": (0, 0.5, 0.5, 1, 1)}),
            ("check_pass_rate", {"reference": (0, 1), "policy": (0, 1, 1)}),
        )
        for who in values
    ]  # fmt: skip
    return movements(measured, "win_against_reference", answered)


def lineage() -> dict[str, Any]:
    verbs = ("collect", "sample", "judge", "annotate", "pair", "score", "train", "evaluate")
    return {
        "artifacts": {
            verb: {
                "uri": f"s3://team-bucket/tso/stages/{verb}/{digest(verb)[:2]}/{digest(verb)}"
                "/manifest.json",
                "content": digest([verb]),
                "rows": 100 * len(verb),
            }
            for verb in verbs
        },
        "reference_in": digest("reference"),
        "reference_out": digest("policy"),
        "config": digest("config"),
        "seeds": {"run": 0, "sample": 8812, "train": 441},
    }


def counts_of(prompts: int, pairs: int) -> dict[str, dict[str, int]]:
    dropped = {"near_equal": 31, "length_balance": 118, "truncated": 9}
    return {
        "collect": {"kept": prompts, "duplicate": 14},
        "pair": {"kept": pairs, **dropped},
        "score": {"already_solved": 47},
        "train": {"longer_than_max_tokens": 2},
    }


GATE = {
    "outcome": "promoted",
    "reasons": [
        "win_against_sft is not worse on any of 4 slices (margin 0.03, Holm-corrected)",
        "length: policy less reference is +1.9 words, upper bound +3.4, allowed 6.0",
    ],
    "n_needed": {"poem": 310},
    "slices": {
        name: {
            "n": n,
            "estimate": estimate,
            "low": estimate - width,
            "high": estimate + width,
            "upper": estimate + 0.8 * width,
            "p_worse": 0.6,
            "p_better": 0.2,
            "minimum_detectable": 1.3 * width,
            "n_needed": 310 if name.endswith("poem") else 100,
        }
        for name, n, estimate, width in (
            ("win_against_sft", 512, 0.051, 0.028),
            ("win_against_sft · poem", 74, -0.021, 0.071),
            ("check_pass_rate", 512, 0.018, 0.022),
            ("check_pass_rate · points", 140, -0.052, 0.041),
        )
    },
}
