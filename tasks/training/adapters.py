"""Low-rank adapters (LoRA) through peft: trained alone, merged into the weights at export.

The reference of the next round is scored with the merged weights. A switched-off adapter is no
reference: it would be the SFT model in every round.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tasks.errors import ConfigError
from tasks.training.settings import AdapterSettings

NAME = "round"
FOLDER = "adapter"
"""Where a model folder keeps all rounds' adapters as one, if they are stacked."""
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."


def add_adapter(model: Any, settings: AdapterSettings) -> None:
    """Freeze `model` and put trainable low-rank matrices beside its linear layers."""
    from peft import LoraConfig, inject_adapter_in_model

    targets = settings.targets
    if targets != "all-linear":
        _check_targets(model, targets)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        target_modules=targets if targets == "all-linear" else list(targets),
        bias="none",
    )
    try:
        inject_adapter_in_model(config, model, adapter_name=NAME)
    except ValueError as error:
        known = sorted({name.rpartition(".")[2] for name, one in _linear(model)})
        raise ConfigError(
            f"training.adapter.targets {targets!r} cannot be adapted ({error}); the model has "
            f"linear layers called {', '.join(known)}"
        ) from error


def _check_targets(model: Any, targets: tuple[str, ...]) -> None:
    """Refuse an embedding, and a head that shares its weights."""
    embedding, ends = model.get_input_embeddings().weight, tuple(f".{one}" for one in targets)
    for name, one in model.named_modules():
        if getattr(one, "weight", None) is embedding and f".{name}".endswith(ends):
            raise ConfigError(
                f"training.adapter.targets names {name}, whose weights are the embedding's: one "
                "tensor for both cannot hold what is added to one of them; leave it out"
            )


def _linear(model: Any) -> Iterator[tuple[str, Any]]:
    return ((n, one) for n, one in model.named_modules() if isinstance(one, torch.nn.Linear))


def _layers(model: Any) -> Iterator[tuple[str, Any]]:
    from peft.tuners.lora import LoraLayer

    return ((name, one) for name, one in model.named_modules() if isinstance(one, LoraLayer))


def has_adapter(model: Any) -> bool:
    """Whether `model` has been given an adapter."""
    return any(True for _ in _layers(model))


@torch.no_grad()
def merged_weights(model: Any) -> dict[str, Tensor]:
    """The model's weights with the adapter added, under the names of a model without one."""
    added = {name: layer.get_delta_weight(NAME) for name, layer in _layers(model)}
    weights: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        if ".lora_" in name:
            continue
        layer, of_base, entry = name.rpartition(".base_layer.")
        plain = f"{layer}.{entry}" if of_base else name
        whole = entry == "weight" and layer in added
        weights[plain] = tensor + added[layer].to(tensor.dtype) if whole else tensor
    return weights


@torch.no_grad()
def save_stacked(model: Any, source: Path, folder: Path) -> None:
    """FOLDER of `folder`: the adapters of earlier rounds, kept in `source`, and this one, as one.

    Their product is the sum of all rounds' changes to the base model: ranks add up.
    """
    factors = {}
    for name, layer in _layers(model):
        scale = layer.scaling[NAME]
        factors[f"{PREFIX}{name}.lora_A.weight"] = layer.lora_A[NAME].weight.detach()
        factors[f"{PREFIX}{name}.lora_B.weight"] = layer.lora_B[NAME].weight.detach() * scale
    earlier, base = _earlier(source / FOLDER)
    for name in sorted(earlier.keys() | factors.keys()):
        both = [one[name] for one in (earlier, factors) if name in one]
        factors[name] = torch.cat(both, 0 if name.endswith(".lora_A.weight") else 1)
    (folder / FOLDER).mkdir()
    save_file({n: one.contiguous().cpu() for n, one in factors.items()}, folder / FOLDER / WEIGHTS)
    (folder / FOLDER / CONFIG).write_text(_config(factors, base or str(source)), encoding="utf-8")


def _earlier(folder: Path) -> tuple[dict[str, Tensor], str]:
    if not folder.exists():
        return {}, ""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    return load_file(folder / WEIGHTS), str(config["base_model_name_or_path"])


def _config(factors: dict[str, Tensor], base: str) -> str:
    """adapter_config.json of factors whose scale is 1, so alpha is the rank."""
    ranks = {
        name.removeprefix(PREFIX).removesuffix(".lora_A.weight"): len(tensor)
        for name, tensor in factors.items()
        if name.endswith(".lora_A.weight")
    }
    rank = max(ranks.values())
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": rank,
        "rank_pattern": {name: one for name, one in ranks.items() if one != rank},
        "alpha_pattern": {name: one for name, one in ranks.items() if one != rank},
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted(ranks),
        "inference_mode": True,
    }
    return json.dumps(config, indent=1)
