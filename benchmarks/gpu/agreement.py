"""Log-probabilities of packed trees against single sequences on the device of the plan."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu.model import make_model
from tasks.training.batches import pack_parts
from tasks.training.logprobs import token_logps
from tasks.training.policy import Policy, load_policy
from tasks.training.trees import Branch, Part


def largest_differences(plan: Mapping[str, Any], folder: Path) -> dict[str, float]:
    """By dtype, the largest |difference| of a response's log-probability (nats)."""
    vocabulary = min(plan["vocabularies"])
    model = make_model(folder / "model", plan["small"], vocabulary, plan["seed"])
    parts = _parts(plan, vocabulary)
    return {
        dtype: _difference(model, dtype, plan["device"], parts) for dtype in ("float32", "bfloat16")
    }


def _parts(plan: Mapping[str, Any], vocabulary: int) -> list[Part]:
    draw = np.random.default_rng(plan["seed"])
    tokens = plan["agreement"]["tokens"]

    def some(number: int) -> Any:
        return draw.integers(0, vocabulary, number)

    return [
        Part(
            trunk=some(tokens + n),
            branches=[Branch(some(tokens - 3 * b)) for b in range(4)],
            first=0,
        )
        for n in range(3)
    ]


@torch.no_grad()
def _difference(model: Path, dtype: str, device: str, parts: list[Part]) -> float:
    policy = load_policy(model, dtype, device, master_weights=dtype == "float32")
    packed = _sums(policy, parts)
    alone = [
        _sums(policy, [Part(trunk=one.trunk, branches=[branch], first=0)])
        for one in parts
        for branch in one.branches
    ]
    return float((packed - torch.cat(alone)).abs().max())


def _sums(policy: Policy, parts: list[Part]) -> torch.Tensor:
    """Log-probability of each response, in the order of the parts."""
    packed = pack_parts(parts, policy.device)
    logps = torch.split(token_logps(policy, packed), packed.lengths_B.tolist())
    return torch.stack([one.sum() for one in logps])
