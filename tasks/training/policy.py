"""The model in memory: a decoder and its head, checked against the model's own forward pass."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tasks.errors import ConfigError, DataError
from tasks.training.cpu_linear import use_onednn

PROBE_TOKENS = 8
HEAD_TOLERANCE = {"float32": 1e-3, "bfloat16": 0.5}
"""Largest difference of a logit from the model's own."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A causal language model whose parameters are float32; dropout is off."""

    model: Any
    device: torch.device
    dtype: str

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """Parameters by name; tied ones once."""
        return dict(self.model.named_parameters())

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which activations have the type `dtype`."""
        if self.dtype == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def hidden(self, ids_RL: Tensor, mask_RL: Tensor) -> Tensor:
        """Last hidden states, (R, L, width)."""
        positions_1L = torch.arange(ids_RL.shape[1], device=ids_RL.device)[None]
        output = self.model.base_model(
            input_ids=ids_RL, attention_mask=mask_RL, position_ids=positions_1L, use_cache=False
        )
        hidden: Tensor = output.last_hidden_state
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits of hidden states, in float32."""
        logits: Tensor = self.model.get_output_embeddings()(hidden).float()
        config = self.model.config
        scale = getattr(config, "logit_scale", None) or 1.0
        divisor = getattr(config, "logits_scaling", None) or 1.0
        if scale != divisor:
            logits = logits * (scale / divisor)
        cap = getattr(config, "final_logit_softcapping", None)
        return logits if cap is None else cap * torch.tanh(logits / cap)

    def check_context(self, num_tokens: int) -> None:
        """Raise DataError if rows of `num_tokens` do not fit the model's context."""
        limit = getattr(self.model.config, "max_position_embeddings", None)
        if limit is not None and num_tokens > limit:
            raise DataError(
                f"a row has {num_tokens} tokens, the model's context is {limit}; "
                f"set training.max_tokens to {limit} or less"
            )


def load_policy(folder: str | Path, dtype: str, device: str) -> Policy:
    """The model in `folder` (safetensors, no network), ready to score and to train."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            str(folder), local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot load a causal language model from {folder}: {error}") from error
    place = torch.device(_device(device))
    model.to(place).eval()  # eval turns dropout off: policy and reference stay comparable
    for parameter in model.parameters():
        # Own aligned memory: views into a mapped file may be computed on in another order.
        parameter.data = parameter.data.clone()
    if place.type == "cpu" and dtype == "float32":
        use_onednn(model)
    policy = Policy(model=model, device=place, dtype=dtype)
    _check_head(policy)
    return policy


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device is cuda, but torch sees no GPU here; use auto or cpu")
    return name


@torch.no_grad()
def _check_head(policy: Policy) -> None:
    """Raise ConfigError if the model does more to its logits than `Policy.logits` knows."""
    size = policy.model.config.get_text_config().vocab_size
    ids_RL = torch.arange(PROBE_TOKENS, device=policy.device)[None] % size
    mask_RL = torch.ones_like(ids_RL)
    with policy.autocast():
        ours = policy.logits(policy.hidden(ids_RL, mask_RL))
        theirs = policy.model(input_ids=ids_RL, attention_mask=mask_RL).logits.float()
    if not bool(theirs.isfinite().all()):
        raise ConfigError(
            "the model's weights give logits that are no numbers (nan or infinite): the file is "
            "damaged or training diverged; use another checkpoint"
        )
    apart = float((ours - theirs).abs().max())
    if not apart <= HEAD_TOLERANCE[policy.dtype] * max(1.0, float(theirs.abs().max())):
        raise ConfigError(
            f"{type(policy.model).__name__} computes its logits in a way the trainer does not "
            f"know (they differ by {apart:.3g}); teach it to Policy.logits"
        )
