"""Does a model compute on packed trees what it computes on single sequences? Tried, not assumed."""

import itertools
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tasks.errors import ConfigError
from tasks.training.attention import BLOCKS, FLEX, register
from tasks.training.batches import Packed, pack_parts
from tasks.training.examples import Ints
from tasks.training.policy import Policy
from tasks.training.trees import Branch, Part

TRUNKS, BRANCHES = (3, 2), (3, 4, 2)
"""Tokens of the probe's prompts and of the responses of each."""
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.5}
"""Largest difference of a logit, where logits are of size 1."""
KNOWN_LAYERS = {"full_attention", "sliding_attention"}


@torch.no_grad()
def check_computes_trees(policy: Policy) -> None:
    """Switch `policy` to attention over trees; ConfigError if it then computes something else."""
    name = type(policy.model).__name__
    _check_layers(policy.model.config.get_text_config(), name)
    parts = _parts(policy)
    wanted = policy.run(_plain_logits, policy, parts)
    if not bool(wanted.isfinite().all()):
        raise ConfigError(
            "the model's weights give logits that are no numbers (nan or infinite): the file is "
            "damaged or training diverged; use another checkpoint"
        )
    _switch(policy.model, FLEX if policy.device.type == "cuda" else BLOCKS, name)
    packed = pack_parts(parts, policy.device)
    found = policy.run(_tree_logits, policy, packed, name)
    apart = float((found - wanted).abs().max())
    if not apart <= TOLERANCE[policy.dtype] * max(1.0, float(wanted.abs().max())):
        raise ConfigError(
            f"{name} computes other logits on prompt trees than on single sequences (they differ "
            f"by {apart:.3g}): its layers or its head do more than the trainer knows; train "
            "another model, or teach it to Policy.logits and tasks.training.attention"
        )
    _check_windows(policy.model.config.get_text_config(), packed.layout.windows, name)


def _check_layers(config: Any, name: str) -> None:
    unknown = set(getattr(config, "layer_types", None) or ()) - KNOWN_LAYERS
    if unknown:
        raise ConfigError(
            f"{name} has layers of the kinds {sorted(unknown)}; prompt trees can be computed with "
            f"{sorted(KNOWN_LAYERS)} only; train another model"
        )


def _check_windows(config: Any, asked: set[int | None], name: str) -> None:
    """A window that layers leave to the mask is not seen on sequences as short as the probe's."""
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"]
    matters = window and window < getattr(config, "max_position_embeddings", math.inf)
    if matters and "sliding_attention" in kinds and asked <= {None}:
        raise ConfigError(
            f"{name} has a sliding window of {window} tokens, of which its layers say nothing to "
            "attention, so prompt trees would be computed without it; train another model"
        )


def _parts(policy: Policy) -> list[Part]:
    size = policy.model.config.get_text_config().vocab_size
    tokens = itertools.count()

    def some(number: int) -> Ints:
        return np.array([next(tokens) % size for _ in range(number)])

    return [
        Part(trunk=some(trunk), branches=[Branch(some(length)) for length in BRANCHES], first=0)
        for trunk in TRUNKS
    ]


def _plain_logits(policy: Policy, parts: list[Part]) -> Tensor:
    """The model's own logits, one sequence at a time, where responses are predicted."""
    found = []
    for part in parts:
        for branch in part.branches:
            ids = np.concatenate([part.trunk, branch.tokens])
            ids_1L = torch.from_numpy(ids).to(policy.device)[None]
            with policy.autocast():
                logits = policy.model(input_ids=ids_1L, use_cache=False).logits[0].float()
            found.append(logits[len(part.trunk) - 1 : -1])
    return torch.cat(found)


def _switch(model: Any, implementation: str, name: str) -> None:
    register()
    try:
        model.set_attn_implementation(implementation)
    except ValueError as error:
        raise ConfigError(f"{name} takes no attention of ours: {error}") from error


def _tree_logits(policy: Policy, packed: Packed, name: str) -> Tensor:
    try:
        with policy.autocast():
            return policy.logits(policy.hidden(packed.layout)[packed.predicts_N])
    except TypeError as error:
        raise ConfigError(f"{name} cannot be given prompt trees: {error}") from error
