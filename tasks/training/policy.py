"""The model in memory: a decoder and its head, checked against the model's own forward pass."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from tasks.errors import ConfigError, DataError
from tasks.training import processes
from tasks.training.cpu_linear import use_onednn
from tasks.training.layout import Layout
from tasks.training.sharding import Root, shard

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A causal language model; dropout is off."""

    model: Any
    device: torch.device
    dtype: str
    """Type of activations."""
    master_weights: bool = True
    """Whether parameters are float32 where activations are not."""
    degree_head: nn.Linear | None = None
    """Tells degraded responses apart; trained with the model, but no part of it."""
    root: Root | None = None
    """Gathers the parameters, where several processes hold a part of them each."""

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """Parameters of the model that are trained, by name; tied ones once."""
        return {n: one for n, one in self.model.named_parameters() if one.requires_grad}

    @property
    def trained(self) -> list[nn.Parameter]:
        """All parameters that are trained."""
        head = self.degree_head
        return [*self.parameters.values(), *(head.parameters() if head else ())]

    def run(self, compute: Callable[..., T], *arguments: Any) -> T:
        """compute(*arguments), which calls `hidden` and `logits`; every process calls it alike."""
        return compute(*arguments) if self.root is None else self.root.run(compute, *arguments)

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which activations have the type `dtype`."""
        if self.dtype == "float32" or not self.master_weights:
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def hidden(self, layout: Layout) -> Tensor:
        """Last hidden states of packed tokens, (S, E)."""
        output = self.model.base_model(
            input_ids=layout.ids_1S,
            position_ids=layout.positions_1S,
            attention_mask=None,
            use_cache=False,
            layout=layout,
        )
        hidden: Tensor = output.last_hidden_state[0]
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
        limit = _longest_alike(self.model.config)
        if limit is not None and num_tokens > limit:
            raise DataError(
                f"a row has {num_tokens} tokens, and beyond {limit} the model turns positions by "
                "other angles (longrope), for all rows that are computed together: shorter ones "
                f"would come out wrong; set training.max_tokens to {limit} or less"
            )


def _longest_alike(config: Any) -> int | None:
    """Tokens up to which the angles of positions are those of any shorter row; None: always."""
    rope = getattr(config.get_text_config(), "rope_parameters", None) or {}
    kinds = [rope, *(one for one in rope.values() if isinstance(one, dict))]
    limits = [
        int(one["original_max_position_embeddings"])
        for one in kinds
        if one.get("rope_type") == "longrope"
    ]
    return min(limits, default=None)


def load_policy(
    folder: str | Path, dtype: str, device: str, *, master_weights: bool = True
) -> Policy:
    """The model in `folder` (safetensors, no network), ready to score and to train."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    from tasks.training.probe import check_computes_trees

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32 if master_weights else getattr(torch, dtype),
            attn_implementation="eager",  # the model's own formula: the probe compares with it
        )
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot load a causal language model from {folder}: {error}") from error
    place = torch.device(device_of(device))
    model.eval()  # turns dropout off: policy and reference stay comparable
    if place.type == "cpu" and dtype == "float32":
        use_onednn(model)
    root = _placed(model, place)
    policy = Policy(
        model=model, device=place, dtype=dtype, master_weights=master_weights, root=root
    )
    check_computes_trees(policy)
    return policy


def _placed(model: Any, place: torch.device) -> Root | None:
    """Bring `model` to its device: a part of it where there are several processes."""
    if processes.count() > 1:
        return shard(model, place)
    model.to(place)
    for parameter in model.parameters():
        # Own aligned memory: views into a mapped file may be computed on in another order.
        parameter.data = parameter.data.clone()
    return None


def recompute_layers(policy: Policy) -> None:
    """Keep no activations inside of layers; ConfigError if the model does not know how."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [one for one in policy.model.modules() if isinstance(one, GradientCheckpointingLayer)]
    if not layers:
        raise ConfigError(
            f"{type(policy.model).__name__} has no layers for gradient checkpointing; "
            "set training.gradient_checkpointing=false"
        )
    policy.model.gradient_checkpointing_enable({"use_reentrant": False})
    for layer in layers:
        layer.training = True  # the layer alone asks this; what is inside keeps its dropout off


def device_of(name: str) -> str:
    """The kind of device that `name` means here; ConfigError for a GPU that is not there."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device is cuda, but torch sees no GPU here; use auto or cpu")
    return name
