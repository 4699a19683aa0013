"""The maths of one optimizer step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tasks.errors import DataError
from tasks.training.batches import MicroBatch
from tasks.training.health import (
    Mean,
    averages,
    entropy_stride,
    example_means,
    head_entropy,
    sampled_positions,
)
from tasks.training.logprobs import logps_of, predicting_hidden, token_logps
from tasks.training.loss_batch import LossBatch
from tasks.training.policy import Policy
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


def loss_batch(batch: MicroBatch, logps_RT: Tensor) -> LossBatch:
    """The examples of `batch`: rows picked by pair."""
    mask_RT, reference_KRT = batch.rows.response_mask_RT, batch.reference_KRT
    chosen, rejected = batch.pairs_P2[:, 0], batch.pairs_P2[:, 1]
    pairs = batch.has_rejected
    return LossBatch(
        chosen_logps=logps_RT[chosen],
        chosen_mask=mask_RT[chosen],
        rejected_logps=logps_RT[rejected] if pairs else None,
        rejected_mask=mask_RT[rejected] if pairs else None,
        reference_chosen=reference_KRT[:, chosen] if reference_KRT is not None else None,
        reference_rejected=(
            reference_KRT[:, rejected] if reference_KRT is not None and pairs else None
        ),
        columns=batch.columns,
    )


def optimizer_step(
    policy: Policy,
    loss: Any,
    batches: Sequence[MicroBatch],
    num_prompts: int,
    optimizer: torch.optim.Optimizer,
    max_grad_norm: float,
) -> StepResult:
    """Step on sum(weight * loss) / num_prompts, gradients accumulated over `batches`.

    Raises DataError if the loss or its gradient is not finite.
    """
    optimizer.zero_grad(set_to_none=True)
    stride = entropy_stride(sum(len(batch.rows.targets_N) for batch in batches))
    parts = [accumulate(policy, loss, batch, num_prompts, stride) for batch in batches]
    norm = torch.nn.utils.clip_grad_norm_(policy.model.parameters(), max_grad_norm)
    metrics = _metrics(parts, num_prompts) | {"gradient_norm": float(norm)}
    if not (math.isfinite(metrics["loss"]) and math.isfinite(metrics["gradient_norm"])):
        raise DataError(
            f"training diverged: loss {metrics['loss']}, gradient norm {metrics['gradient_norm']}; "
            "lower the learning rate or look at the examples of this step"
        )
    optimizer.step()
    return StepResult(metrics=metrics, tokens=sum(batch.rows.num_tokens for batch in batches))


def accumulate(
    policy: Policy, loss: Any, batch: MicroBatch, num_prompts: int, stride: int
) -> dict[str, Mean]:
    """Add the gradient of one micro-batch; returns what is reported, by name.

    Entropy is computed at one response token in `stride`.
    """
    hidden_NH = predicting_hidden(policy, batch.rows)
    inputs = loss_batch(batch, logps_of(policy, batch.rows, hidden_NH))
    result = loss(inputs)
    objective = (batch.weights_P * result.loss).sum() / num_prompts
    objective.backward()
    means = example_means(kind_of(loss), inputs, result, batch.weights_P)
    return means | {"entropy": _entropy(policy, batch, hidden_NH, stride)}


def _entropy(policy: Policy, batch: MicroBatch, hidden_NH: Tensor, stride: int) -> Mean:
    rows = batch.rows
    chosen = sampled_positions(rows.targets_N, rows.response_mask_RT.sum(-1).long(), stride)
    with policy.autocast():
        return head_entropy(policy.logits, hidden_NH[chosen])


def _metrics(parts: Sequence[dict[str, Mean]], num_prompts: int) -> dict[str, float]:
    """Averages by weight; the loss is what is minimised, the sum over prompts / prompts."""
    loss = sum(float(part["loss"].total) for part in parts) / num_prompts
    return averages(parts) | {"loss": loss}


@torch.no_grad()
def check_is_reference(policy: Policy, batches: Sequence[MicroBatch]) -> float:
    """The largest |policy - reference| log-probability of a token (nats) over `batches`.

    Raises DataError if it is more than rounding: then the examples were scored by other weights,
    another template, or in another order.
    """
    apart = 0.0
    for batch in batches:
        if batch.reference_KRT is None:
            raise DataError("expect_reference is set, but the loss reads no reference; unset it")
        logps_RT = token_logps(policy, batch.rows)
        apart = max(apart, float((logps_RT - batch.reference_KRT[0]).abs().max()))
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
