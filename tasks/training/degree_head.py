"""The auxiliary head that tells how far a response was degraded; it is dropped at export."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from tasks.seeds import seed_of
from tasks.training.policy import Policy

INITIAL_DEVIATION = 0.02
"""Standard deviation of the weights at first: all degrees are about equally likely."""


def with_degree_head(policy: Policy, classes: int, seed: int) -> Policy:
    """`policy` with a linear layer from a hidden state to `classes`, the same for every `seed`."""
    head = nn.Linear(policy.model.config.get_text_config().hidden_size, classes)
    generator = torch.Generator().manual_seed(seed_of(seed, "degree head"))
    nn.init.normal_(head.weight, std=INITIAL_DEVIATION, generator=generator)
    nn.init.zeros_(head.bias)
    return replace(policy, degree_head=head.to(policy.device))


def degree_logits(head: nn.Linear, hidden_BE: Tensor) -> Tensor:
    """Logits of the degrees, (B, C), in float32 whatever the states' type."""
    logits_BC: Tensor = head(hidden_BE.float())
    return logits_BC
