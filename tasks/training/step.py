"""The maths of one optimizer step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tasks.errors import DataError
from tasks.memory import in_flight
from tasks.training import processes
from tasks.training.batches import Group, Packed
from tasks.training.health import (
    Mean,
    added,
    averages,
    entropy_stride,
    example_means,
    head_entropy,
    sampled_positions,
    totals,
)
from tasks.training.logprobs import logps_of, predicting_hidden, token_logps
from tasks.training.loss_batch import LossBatch, Side
from tasks.training.policy import Policy
from tasks.training.sharding import whole
from tasks.variants import kind_of

REFERENCE_TOLERANCE = {"float32": 1e-3, "bfloat16": 0.5}
"""Largest difference (nats) of a token's log-probability that rounding may make."""


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What one optimizer step did."""

    metrics: dict[str, float]
    """Averages over the batch, by example weight."""
    tokens: int
    """Tokens forwarded, without padding."""


def loss_batch(group: Group, logps_BT: Tensor) -> LossBatch:
    """The examples of `group`: branches picked by side."""
    found = {name: _side(group, logps_BT, places) for name, places in group.sides.items()}
    return LossBatch(
        chosen=found.pop("chosen"),
        rejected=found.pop("rejected", None),
        columns=group.columns,
        others=found,
    )


def _side(group: Group, logps_BT: Tensor, branches_P: Tensor) -> Side:
    reference_KBT = group.reference_KBT
    return Side(
        logps=logps_BT[branches_P],
        mask=group.mask_BT[branches_P],
        reference=None if reference_KBT is None else reference_KBT[:, branches_P],
    )


def optimizer_step(
    policy: Policy,
    loss: Any,
    groups: Sequence[Group],
    num_prompts: int,
    optimizer: torch.optim.Optimizer,
    max_grad_norm: float,
) -> StepResult:
    """Step on sum(weight * loss) / num_prompts, gradients accumulated over `groups`.

    With several processes the sum goes over the groups of all, and every one has `num_prompts`.
    Raises DataError if the loss or its gradient is not finite.
    """
    optimizer.zero_grad(set_to_none=True)
    counted = [group for group in groups if group.counted]
    targets = sum(processes.gathered(sum(len(group.slots_N) for group in counted)))
    stride, parts = entropy_stride(targets), []
    for group in groups:
        with in_flight(tokens=group.largest, responses=len(group.mask_BT)):
            parts.append(accumulate(policy, loss, group, num_prompts, stride))
    norm = _clip(policy, max_grad_norm)
    metrics = _metrics(parts, num_prompts) | {"gradient_norm": norm}
    if not (math.isfinite(metrics["loss"]) and math.isfinite(metrics["gradient_norm"])):
        raise DataError(
            f"training diverged: loss {metrics['loss']}, gradient norm {metrics['gradient_norm']}; "
            "lower the learning rate or look at the examples of this step"
        )
    optimizer.step()
    tokens = sum(processes.gathered(sum(group.num_tokens for group in counted)))
    return StepResult(metrics=metrics, tokens=tokens)


def _clip(policy: Policy, max_norm: float) -> float:
    """Scale the gradients down to `max_norm`; returns the norm they had, over all processes."""
    parameters = list(policy.parameters.values())
    gradients = [one.grad for one in parameters if one.grad is not None]
    norm = whole(torch.nn.utils.get_total_norm(gradients))
    torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)
    return float(norm)


def accumulate(
    policy: Policy, loss: Any, group: Group, num_prompts: int, stride: int
) -> dict[str, Mean]:
    """Add the gradient of one group; returns what is reported, by name.

    With several packs, the loss is taken over the log-probabilities of all of them, and its
    gradient on those is replayed through one pack after the other: memory holds one at a time.
    Several processes share these packs. Entropy is computed at one response token in `stride`.
    """
    if len(group.packs) > 1:
        return _accumulate_replayed(policy, loss, group, num_prompts, stride)
    logps_N, entropy = _forward(policy, group.packs[0], stride)
    objective, means = _objective(loss, group, logps_N, num_prompts)
    torch.autograd.backward(objective if group.counted else 0 * objective)
    return means | {"entropy": entropy} if group.counted else {}


def _accumulate_replayed(
    policy: Policy, loss: Any, group: Group, num_prompts: int, stride: int
) -> dict[str, Mean]:
    turns = processes.turns(len(group.packs))
    parts = [torch.zeros(len(one.targets_N), device=policy.device) for one in group.packs]
    entropies = []
    with torch.no_grad():
        for place, counted in turns:
            logps, entropy = _forward(policy, group.packs[place], stride)
            if counted:
                parts[place] = logps
                entropies.append(entropy)
    logps_N = processes.summed(torch.cat(parts)).requires_grad_()
    objective, means = _objective(loss, group, logps_N, num_prompts)
    [gradient_N] = torch.autograd.grad(objective, logps_N)
    gradients = torch.split(gradient_N, [len(one) for one in parts])
    for place, counted in turns:
        gradient = gradients[place] if counted else 0 * gradients[place]
        torch.autograd.backward(token_logps(policy, group.packs[place]), gradient)
    own = {"entropy": added(entropies)} if entropies else {}
    return means | own if group.counted else own


def _forward(policy: Policy, packed: Packed, stride: int) -> tuple[Tensor, Mean]:
    """Log-probabilities of the response tokens, and the entropy at some of them."""
    return policy.run(_logps_and_entropy, policy, packed, stride)


def _logps_and_entropy(policy: Policy, packed: Packed, stride: int) -> tuple[Tensor, Mean]:
    hidden_NE = predicting_hidden(policy, packed)
    sampled = sampled_positions(packed.targets_N, packed.lengths_B, stride)
    with policy.autocast():
        entropy = head_entropy(policy.logits, hidden_NE[sampled])
    return logps_of(policy, packed, hidden_NE), entropy


def _objective(
    loss: Any, group: Group, logps_N: Tensor, num_prompts: int
) -> tuple[Tensor, dict[str, Mean]]:
    """What is minimised, and what is reported of the examples."""
    inputs = loss_batch(group, group.by_branch(logps_N))
    result = loss(inputs)
    objective = (group.weights_P * result.loss).sum() / num_prompts
    return objective, example_means(kind_of(loss), inputs, result, group.weights_P)


def _metrics(parts: Sequence[dict[str, Mean]], num_prompts: int) -> dict[str, float]:
    """Averages by weight; the loss is what is minimised, the sum over prompts / prompts."""
    found = totals(parts)
    return averages(found) | {"loss": found["loss"][0] / num_prompts}


@torch.no_grad()
def check_is_reference(policy: Policy, groups: Sequence[Group]) -> float:
    """The largest |policy - reference| log-probability of a token (nats) over `groups`.

    Raises DataError if it is more than rounding: then the examples were scored by other weights,
    another template, or in another order.
    """
    apart = 0.0
    for group in groups:
        if group.reference_KBT is None:
            raise DataError("expect_reference is set, but the loss reads no reference; unset it")
        logps_N = torch.cat([token_logps(policy, one) for one in group.packs])
        apart_BT = group.by_branch(logps_N) - group.reference_KBT[0]
        apart = max(apart, float(apart_BT.abs().max()))
    apart = max(processes.gathered(apart))
    allowed = REFERENCE_TOLERANCE[policy.dtype]
    if not apart <= allowed:
        raise DataError(
            f"the policy is not the reference: log-probabilities differ by up to {apart:.4g} nats "
            f"a token at step 0 (at most {allowed} in {policy.dtype}); score the responses again "
            "with the model that training starts from"
        )
    return apart


def make_optimizer(
    policy: Policy, betas: tuple[float, float], weight_decay: float
) -> torch.optim.AdamW:
    """AdamW over float32 parameters; only matrices decay, not norms and biases."""
    parameters = list(policy.parameters.values())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    # Fused is 4 times as fast as foreach on CPU for small models, and as deterministic.
    used = [group for group in groups if group["params"]]
    return torch.optim.AdamW(used, betas=betas, fused=True)
