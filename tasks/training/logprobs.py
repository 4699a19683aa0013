"""Log-probabilities of response tokens; the head works at no other position."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from tasks.training.attention import take
from tasks.training.batches import Packed
from tasks.training.policy import Policy

HEAD_ELEMENTS = {"cpu": 1 << 22, "cuda": 1 << 27}
"""Logits held at once (16 MB, 512 MB); more are computed in chunks and again in the backward pass.

On a CPU small chunks cost no time; a GPU wants large ones.
"""


def token_logps(policy: Policy, packed: Packed) -> Tensor:
    """Log-probability (nats, float32) of each response token, (N,)."""
    return policy.run(_token_logps, policy, packed)


def _token_logps(policy: Policy, packed: Packed) -> Tensor:
    return logps_of(policy, packed, predicting_hidden(policy, packed))


def predicting_hidden(policy: Policy, packed: Packed) -> Tensor:
    """Hidden states that predict the response tokens, (N, E)."""
    return hidden_at(policy, packed, packed.predicts_N)


def hidden_at(policy: Policy, packed: Packed, places: Tensor) -> Tensor:
    """Last hidden states at packed `places`, (places, E)."""
    with policy.autocast():
        return take(policy.hidden(packed.layout), places)


def logps_of(policy: Policy, packed: Packed, hidden_NE: Tensor) -> Tensor:
    """Log-probability (nats, float32) of each response token from its hidden state, (N,)."""
    if not len(packed.targets_N):
        return hidden_NE.sum(-1).float()
    size = max(
        1, HEAD_ELEMENTS[policy.device.type] // policy.model.config.get_text_config().vocab_size
    )
    targets_N = packed.targets_N
    chunks = zip(torch.split(hidden_NE, size), torch.split(targets_N, size), strict=True)
    with policy.autocast():
        if len(targets_N) <= size or not torch.is_grad_enabled():
            return torch.cat([_logps(policy, part, targets) for part, targets in chunks])
        parts = [
            checkpoint(_logps, policy, part, targets, use_reentrant=False)
            for part, targets in chunks
        ]
    return torch.cat(parts)


def _logps(policy: Policy, hidden_NE: Tensor, targets_N: Tensor) -> Tensor:
    return -cross_entropy(policy.logits(hidden_NE), targets_N, reduction="none")
