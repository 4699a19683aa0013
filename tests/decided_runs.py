"""Committed rounds made by hand, and what people decided after them."""

from dataclasses import asdict

from tests.small_config import checkpoint

OUTCOMES = ("promoted", "refused", "promoted", "refused")


def manifest(index, outcome, reference_in, gain=0.01):
    policy = asdict(checkpoint(f"policy-{index}"))
    return {
        "round_index": index,
        "policy": policy,
        "reference_in": reference_in,
        "reference_out": reference_in if outcome == "refused" else policy,
        "strengths": {"policy": float(index), "large": 2.0},
        "gate": {
            "outcome": outcome,
            "reasons": ["win fell"],
            "slices": {
                "win": {
                    "n": 64,
                    "estimate": gain,
                    "low": -0.1,
                    "high": 0.1,
                    "p_worse": 0.4,
                    "minimum_detectable": 0.17,
                    "n_needed": 2322,
                }
            },
        },
    }


def made(tree, outcomes=OUTCOMES, gains=(0.01,) * 4):
    """Committed rounds, each from what the one before left."""
    reference = asdict(checkpoint("sft"))
    for index, (outcome, gain) in enumerate(zip(outcomes, gains, strict=False)):
        one = manifest(index, outcome, reference, gain)
        tree.write_round(index, "manifest.json", one)
        reference = one["reference_out"]
    return tree


def decision(action, sha256, to_round=None):
    return {
        "action": action,
        "reason": "r",
        "by": "b",
        "at": "2026-01-01T00:00:00+00:00",
        "reference": asdict(checkpoint(sha256)),
        "to_round": to_round,
    }
