"""The maths of one optimizer step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tasks.errors import DataError
from tasks.memory import in_flight
from tasks.training import processes
from tasks.training.batches import Group, Packed
from tasks.training.degree_head import degree_logits
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
from tasks.training.logprobs import hidden_at, logps_of, token_logps
from tasks.training.loss_batch import Degrees, LossBatch, Side
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


class Outputs(NamedTuple):
    """What the policy says of some branches; a loss sees nothing else of it."""

    logps_N: Tensor
    """Log-probability of each response token."""
    degrees_BC: Tensor
    """Logits of the auxiliary head after each branch; no classes where there is no head."""


def loss_batch(group: Group, outputs: Outputs) -> LossBatch:
    """The examples of `group`: branches picked by side."""
    logps_BT = group.by_branch(outputs.logps_N)
    found = {name: _side(group, name, logps_BT) for name in group.sides}
    return LossBatch(
        chosen=found.pop("chosen"),
        rejected=found.pop("rejected", None),
        columns=group.columns,
        others=found,
        degrees=_degrees(group, outputs.degrees_BC),
    )


def _side(group: Group, name: str, logps_BT: Tensor) -> Side:
    reference_KBT, branches_P = group.reference_KBT, group.sides[name]
    return Side(
        logps=logps_BT[branches_P],
        mask=group.mask_BT[branches_P],
        reference=None if reference_KBT is None else reference_KBT[:, branches_P],
        columns=group.token_columns.get(name, {}),
    )


def _degrees(group: Group, degrees_BC: Tensor) -> Degrees | None:
    if group.variants is None:
        return None
    return Degrees(
        logits=degrees_BC[group.variants.branches_V],
        labels=group.variants.degrees_V,
        pairs=group.variants.examples_V,
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
    parameters = policy.trained
    gradients = [one.grad for one in parameters if one.grad is not None]
    norm = whole(torch.nn.utils.get_total_norm(gradients))
    torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)
    return float(norm)


def accumulate(
    policy: Policy, loss: Any, group: Group, num_prompts: int, stride: int
) -> dict[str, Mean]:
    """Add the gradient of one group; returns what is reported, by name.

    With several packs, the loss is taken over the outputs of all of them, and its gradient on those
    is replayed through one pack after the other: memory holds one at a time. Several processes
    share these packs. Entropy is computed at one response token in `stride`.
    """
    if len(group.packs) > 1:
        return _accumulate_replayed(policy, loss, group, num_prompts, stride)
    outputs, entropy = _forward(policy, group.packs[0], stride)
    objective, means = _objective(loss, group, outputs, num_prompts)
    torch.autograd.backward(objective if group.counted else 0 * objective)
    return means | {"entropy": entropy} if group.counted else {}


def _accumulate_replayed(
    policy: Policy, loss: Any, group: Group, num_prompts: int, stride: int
) -> dict[str, Mean]:
    turns = processes.turns(len(group.packs))
    parts, entropies = [_no_outputs(policy, one) for one in group.packs], []
    with torch.no_grad():
        for place, counted in turns:
            outputs, entropy = _forward(policy, group.packs[place], stride)
            if counted:
                parts[place] = outputs
                entropies.append(entropy)
    fields = [torch.cat(some) for some in zip(*parts, strict=True)]
    every = Outputs(*(processes.summed(one).requires_grad_() for one in fields))
    objective, means = _objective(loss, group, every, num_prompts)
    gradients = torch.autograd.grad(objective, every, allow_unused=True, materialize_grads=True)
    sizes = [[len(one) for one in some] for some in zip(*parts, strict=True)]
    shares = [torch.split(one, some) for one, some in zip(gradients, sizes, strict=True)]
    for place, counted in turns:
        share = [one[place] if counted else 0 * one[place] for one in shares]
        _replay(policy.run(_outputs_of, policy, group.packs[place]), share)
    own = {"entropy": added(entropies)} if entropies else {}
    return means | own if group.counted else own


def _replay(outputs: Outputs, gradients: Sequence[Tensor]) -> None:
    """Send gradients on the outputs back; those of a head that is not there are left out."""
    pairs = zip(outputs, gradients, strict=True)
    used = [(output, gradient) for output, gradient in pairs if output.requires_grad]
    torch.autograd.backward([output for output, _ in used], [gradient for _, gradient in used])


def _forward(policy: Policy, packed: Packed, stride: int) -> tuple[Outputs, Mean]:
    """Outputs of a pack, and the entropy at some of its response tokens."""
    return policy.run(_outputs_and_entropy, policy, packed, stride)


def _outputs_of(policy: Policy, packed: Packed) -> Outputs:
    return _outputs(policy, packed, *_hidden(policy, packed))


def _outputs_and_entropy(policy: Policy, packed: Packed, stride: int) -> tuple[Outputs, Mean]:
    hidden_NE, ends_BE = _hidden(policy, packed)
    sampled = sampled_positions(packed.targets_N, packed.lengths_B, stride)
    with policy.autocast():
        entropy = head_entropy(policy.logits, hidden_NE[sampled])
    return _outputs(policy, packed, hidden_NE, ends_BE), entropy


def _hidden(policy: Policy, packed: Packed) -> tuple[Tensor, Tensor]:
    """Hidden states that predict the response tokens, and those after each branch for the head."""
    ends_B = packed.ends_B if policy.degree_head else packed.ends_B[:0]
    both = hidden_at(policy, packed, torch.cat([packed.predicts_N, ends_B]))
    return both[: len(packed.predicts_N)], both[len(packed.predicts_N) :]


def _outputs(policy: Policy, packed: Packed, hidden_NE: Tensor, ends_BE: Tensor) -> Outputs:
    head = policy.degree_head
    return Outputs(
        logps_of(policy, packed, hidden_NE),
        torch.zeros(0, 0, device=policy.device) if head is None else degree_logits(head, ends_BE),
    )


def _no_outputs(policy: Policy, packed: Packed) -> Outputs:
    """Zeros in the place of what `_outputs` gives."""
    head, device = policy.degree_head, policy.device
    degrees = (0, 0) if head is None else (len(packed.ends_B), head.out_features)
    return Outputs(
        torch.zeros(len(packed.targets_N), device=device), torch.zeros(degrees, device=device)
    )


def _objective(
    loss: Any, group: Group, outputs: Outputs, num_prompts: int
) -> tuple[Tensor, dict[str, Mean]]:
    """What is minimised, and what is reported of the examples."""
    inputs = loss_batch(group, outputs)
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
    found = []
    for group in groups:
        if group.reference_KBT is None:
            raise DataError("expect_reference is set, but the loss reads no reference; unset it")
        logps_N = torch.cat([token_logps(policy, one) for one in group.packs])
        apart_BT = group.by_branch(logps_N) - group.reference_KBT[0]
        found.append(float(apart_BT.abs().max()))
    # Python's max would pass over what is no number; numpy's does not.
    apart = float(np.max(processes.gathered(float(np.max(found)))))
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
    parameters = policy.trained
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    # Fused is 4 times as fast as foreach on CPU for small models, and as deterministic.
    used = [group for group in groups if group["params"]]
    return torch.optim.AdamW(used, betas=betas, fused=True)
