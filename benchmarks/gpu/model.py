"""Models of any size with random weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, LlamaConfig


def make_model(folder: Path, shape: Mapping[str, Any], vocabulary: int, seed: int) -> Path:
    """A Llama of `shape` with random bfloat16 weights."""
    if not (folder / "config.json").exists():
        torch.manual_seed(seed)
        config = LlamaConfig(vocab_size=vocabulary, bos_token_id=0, eos_token_id=1, **shape)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)  # type: ignore[no-untyped-call]
        model.save_pretrained(folder)
    return folder
