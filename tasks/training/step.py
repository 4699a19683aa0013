"""The maths of one optimizer step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tasks.child import in_flight
from tasks.errors import DataError
from tasks.training.batches import Group
from tasks.training.logprobs import token_logps
from tasks.training.loss_batch import LossBatch, Side
from tasks.training.policy import Policy

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

    Raises DataError if the loss or its gradient is not finite.
    """
    optimizer.zero_grad(set_to_none=True)
    sums = []
    for group in groups:
        with in_flight(tokens=group.largest, responses=len(group.mask_BT)):
            sums.append(accumulate(policy, loss, group, num_prompts))
    norm = torch.nn.utils.clip_grad_norm_(policy.model.parameters(), max_grad_norm)
    metrics = _metrics(sums, num_prompts) | {"gradient_norm": float(norm)}
    if not (math.isfinite(metrics["loss"]) and math.isfinite(metrics["gradient_norm"])):
        raise DataError(
            f"training diverged: loss {metrics['loss']}, gradient norm {metrics['gradient_norm']}; "
            "lower the learning rate or look at the examples of this step"
        )
    optimizer.step()
    return StepResult(metrics=metrics, tokens=sum(group.num_tokens for group in groups))


def accumulate(policy: Policy, loss: Any, group: Group, num_prompts: int) -> dict[str, Tensor]:
    """Add the gradient of one group; returns its weighted sums of what is reported.

    With several packs, the loss is taken over the log-probabilities of all of them, and its
    gradient on those is replayed through one pack after the other: memory holds one at a time.
    """
    if len(group.packs) == 1:
        logps_N = token_logps(policy, group.packs[0])
        objective, sums = _objective(loss, group, logps_N, num_prompts)
        torch.autograd.backward(objective)
        return sums
    with torch.no_grad():
        parts = [token_logps(policy, one) for one in group.packs]
    logps_N = torch.cat(parts).requires_grad_()
    objective, sums = _objective(loss, group, logps_N, num_prompts)
    [gradient_N] = torch.autograd.grad(objective, logps_N)
    sizes = [len(part) for part in parts]
    for one, gradient in zip(group.packs, torch.split(gradient_N, sizes), strict=True):
        torch.autograd.backward(token_logps(policy, one), gradient)
    return sums


def _objective(
    loss: Any, group: Group, logps_N: Tensor, num_prompts: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """What is minimised, and weighted sums of what is reported."""
    inputs = loss_batch(group, group.by_branch(logps_N))
    result = loss(inputs)
    weights_P = group.weights_P
    with torch.no_grad():
        seen = {"chosen_logp": inputs.chosen.total()}
        if inputs.rejected is not None:
            seen["rejected_logp"] = inputs.rejected.total()
        values = {"loss": result.loss, **result.metrics, **seen, "weight": 1.0}
        sums = {name: (weights_P * value).sum() for name, value in values.items()}
    return (weights_P * result.loss).sum() / num_prompts, sums


def _metrics(sums: Sequence[dict[str, Tensor]], num_prompts: int) -> dict[str, float]:
    """Averages by weight; the loss is what is minimised, the sum over prompts / prompts."""
    names = list(sums[0])
    stacked = torch.stack([torch.stack([part[name] for name in names]) for part in sums])
    totals = dict(zip(names, stacked.sum(0).tolist(), strict=True))
    weight = totals.pop("weight")
    loss = totals.pop("loss") / num_prompts
    return {"loss": loss, **{name: value / weight for name, value in totals.items()}}


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
