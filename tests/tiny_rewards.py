"""Real reward models of under 100,000 parameters for tests."""

from pathlib import Path
from typing import Any

import torch
import transformers

from tests.tiny_models import tiny_model


def tiny_reward_model(folder: Path, *, labels: int = 1, pad: bool = True, **kind: Any) -> Path:
    """A random sequence-classification model with the tokenizer of `tiny_model(**kind)`."""
    source = tiny_model(**kind)
    config = transformers.AutoConfig.from_pretrained(source)
    config.num_labels = labels
    if not pad:
        config.pad_token_id = None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = transformers.AutoModelForSequenceClassification.from_config(config)
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    return folder


def reward_of(folder: Path, ids: list[int]) -> float:
    """What the model in `folder` itself says of one row."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        return float(model(input_ids=torch.tensor([ids])).logits[0, 0])
