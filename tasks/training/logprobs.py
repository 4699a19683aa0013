"""Log-probabilities of response tokens; the head works at no other position."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from tasks.training.batches import PackedRows
from tasks.training.policy import Policy

HEAD_ELEMENTS = 1 << 26
"""Logits held at once (256 MB); more are computed in chunks and again in the backward pass."""


def token_logps(policy: Policy, rows: PackedRows) -> Tensor:
    """Log-probability (nats, float32) of each response token, (R, T); padding is 0."""
    return logps_of(policy, rows, predicting_hidden(policy, rows))


def predicting_hidden(policy: Policy, rows: PackedRows) -> Tensor:
    """Hidden states that predict the response tokens, (N, width)."""
    with policy.autocast():
        hidden = policy.hidden(rows.ids_RL, rows.mask_RL)
        return hidden.flatten(0, 1).index_select(0, rows.predicts_N)


def logps_of(policy: Policy, rows: PackedRows, hidden_NH: Tensor) -> Tensor:
    """Log-probability (nats, float32) of each response token, (R, T), from its hidden state."""
    with policy.autocast():
        logps_N = _head(policy, hidden_NH, rows.targets_N)
    flat = logps_N.new_zeros(rows.response_mask_RT.numel())
    return flat.index_copy(0, rows.slots_N, logps_N).view_as(rows.response_mask_RT)


def _head(policy: Policy, hidden: Tensor, targets_N: Tensor) -> Tensor:
    size = max(1, HEAD_ELEMENTS // policy.model.config.get_text_config().vocab_size)
    if len(targets_N) <= size:
        return _logps(policy, hidden, targets_N)
    chunks = zip(torch.split(hidden, size), torch.split(targets_N, size), strict=True)
    parts = [
        checkpoint(_logps, policy, part, targets, use_reentrant=False) for part, targets in chunks
    ]
    return torch.cat(parts)


def _logps(policy: Policy, hidden: Tensor, targets_N: Tensor) -> Tensor:
    return -cross_entropy(policy.logits(hidden), targets_N, reduction="none")
