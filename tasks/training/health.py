"""What is worth watching of an optimizer step; nothing here touches a gradient.

Every figure is kept as a `Mean`, a weighted total and its weight: both add up over micro-batches,
so a batch has the same figures however it is cut.

Shape suffixes: P pairs (or single responses), T response positions, N response tokens of all
distinct responses one after another, R distinct responses, H hidden width, V vocabulary.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tasks.errors import ConfigError
from tasks.step_metrics import TRAINER_KEYS
from tasks.training import processes
from tasks.training.loss_batch import LossBatch, LossResult, Side, average, total

SOLVED_WEIGHT = 0.02
"""A pair is solved when less than this is left of DPO's gradient weight sigmoid(-margin).

A margin of 4, where both bounds of the usual dual clip (2 and -2) are reached, leaves 0.018.
"""
ENTROPY_POSITIONS = 256
"""Response positions of an optimizer step whose entropy is computed, about."""
ENTROPY_SPACING = 16
"""Of short batches one position in 16 at most: the head does a sixteenth more work, not double."""
ENTROPY_CHUNK = 64
"""Positions whose logits are held at once."""
LARGEST_LOG_RATIO = 20.0
"""Nats; beyond it a token's KL estimate (5e8) says nothing more, and its exponential overflows."""


class Mean(NamedTuple):
    """A weighted total and its weight, both 0-dimensional."""

    total: Tensor
    weight: Tensor


def weighted(values_P: Tensor, weights_P: Tensor) -> Mean:
    """The `Mean` of `values_P` by `weights_P`, in double precision."""
    weights = weights_P.detach().double()
    return Mean((weights * values_P.detach().double()).sum(), weights.sum())


def added(parts: Sequence[Mean]) -> Mean:
    """The `Mean` of everything that `parts` are of."""
    return Mean(*(torch.stack(some).sum(0) for some in zip(*parts, strict=True)))


def totals(parts: Sequence[Mapping[str, Mean]]) -> dict[str, tuple[float, float]]:
    """Total and weight of each figure of all micro-batches, and of all processes, together."""
    names = list(dict.fromkeys(name for part in parts for name in part))
    stacked = [
        torch.stack([torch.stack(part[name]) for part in parts if name in part]).sum(0)
        for name in names
    ]
    numbers = torch.stack(stacked).tolist() if stacked else []
    every = processes.gathered(dict(zip(names, numbers, strict=True)))
    return {
        name: (sum(one[name][0] for one in having), sum(one[name][1] for one in having))
        for name in dict.fromkeys(name for one in every for name in one)
        if (having := [one for one in every if name in one])
    }


def averages(found: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """The figures by name; one of which there is nothing is left out."""
    return {name: whole / weight for name, (whole, weight) in found.items() if weight}


@torch.no_grad()
def example_means(
    kind: str, batch: LossBatch, result: LossResult, weights_P: Tensor
) -> dict[str, Mean]:
    """Loss, the loss's own metrics and the trainer's figures of one micro-batch, by name.

    Raises ConfigError if the loss `kind` reports a metric under a name that is the trainer's.
    """
    taken = sorted(TRAINER_KEYS & result.metrics.keys())
    if taken:
        raise ConfigError(
            f"the loss {kind!r} reports a metric {taken[0]!r}, and so does the trainer; give the "
            f"metric of tasks/losses/{kind}.py another name than {', '.join(sorted(TRAINER_KEYS))}"
        )
    values = {"loss": result.loss, **result.metrics, **_figures(batch, result)}
    return {name: weighted(value, weights_P) for name, value in values.items()}


def _figures(batch: LossBatch, result: LossResult) -> dict[str, Tensor]:
    """What the trainer itself reports of each example, each (P,)."""
    sides = {"chosen": batch.chosen} | ({"rejected": batch.rejected} if batch.rejected else {})
    found: dict[str, Tensor] = {}
    for name, side in sides.items():
        found |= _side(name, side)
    known = [_kl(side, side.reference) for side in sides.values() if side.reference is not None]
    if known:
        found["kl"] = torch.stack(known).mean(0)
    return found | _solved(result.metrics)


def _side(name: str, side: Side) -> dict[str, Tensor]:
    return {
        f"{name}_logp": total(side.logps, side.mask),
        f"{name}_logp_per_token": average(side.logps, side.mask),
        f"{name}_tokens": side.mask.sum(-1),
    }


def k3(logps: Tensor, reference: Tensor) -> Tensor:
    """exp(ref - lp) - (ref - lp) - 1 of each token: never negative, and 0 where they agree.

    Its mean over tokens that the policy itself sampled is KL(policy || reference). Source:
    Schulman, Approximating KL Divergence (2020).
    """
    apart = (reference - logps).clamp(max=LARGEST_LOG_RATIO)
    return torch.expm1(apart) - apart


def _kl(side: Side, reference_KPT: Tensor) -> Tensor:
    """Mean `k3` per token of each response, against the first reference, (P,).

    Averaged by weight, every distinct response counts as much as its examples. The responses come
    from several cells, people among them, most of them not from the policy as it is now: this is
    an estimate of how far the two models are apart on these responses, not the policy's own KL.
    """
    return average(k3(side.logps, reference_KPT[0]), side.mask)


def _solved(metrics: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """1 for each pair with no gradient worth naming: clipped on both sides, or far apart.

    Far apart: DPO's gradient weight at its margin is below SOLVED_WEIGHT, whatever the loss.
    """
    if "margin" not in metrics:
        return {}
    solved = torch.sigmoid(-metrics["margin"]) < SOLVED_WEIGHT
    if "clipped_both" in metrics:
        solved = solved | (metrics["clipped_both"] > 0)
    return {"solved": solved.float()}


def entropy_stride(num_tokens: int) -> int:
    """One response token in how many is sampled, of an optimizer batch with `num_tokens`."""
    return max(ENTROPY_SPACING, math.ceil(num_tokens / ENTROPY_POSITIONS))


def sampled_positions(targets_N: Tensor, lengths_R: Tensor, stride: int) -> Tensor:
    """Indices into `targets_N`: every `stride`-th token of each response.

    Where a response's count begins follows from its own tokens, so the sample is the same in
    whatever micro-batch, order or company the response comes.
    """
    owners_N = torch.repeat_interleave(lengths_R)
    firsts_R = lengths_R.cumsum(0) - lengths_R
    places_N = torch.arange(len(targets_N), device=targets_N.device) - firsts_R[owners_N]
    offsets_R = torch.zeros_like(lengths_R).index_add(0, owners_N, targets_N)
    return ((places_N + offsets_R[owners_N]) % stride == 0).nonzero().squeeze(-1)


@torch.no_grad()
def entropy(logits_NV: Tensor) -> Tensor:
    """Entropy (nats) of each next-token distribution, in float32 whatever the logits' type."""
    probabilities = logits_NV.float().softmax(-1)
    each: Tensor = torch.special.entr(probabilities)
    return each.sum(-1)


@torch.no_grad()
def head_entropy(head: Callable[[Tensor], Tensor], hidden_NH: Tensor) -> Mean:
    """Mean entropy of what `head` predicts at some positions, a few logits at a time."""
    chunks = torch.split(hidden_NH.detach(), ENTROPY_CHUNK)
    parts = [entropy(head(part)).double() for part in chunks]
    values = torch.cat(parts) if len(hidden_NH) else hidden_NH.new_zeros(0).double()
    return Mean(values.sum(), torch.full_like(values.sum(), len(values)))
