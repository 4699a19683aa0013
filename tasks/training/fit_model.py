"""A sequence-classification model with one output, made of a language model or a reward model."""

import shutil
from pathlib import Path
from typing import Any

import torch

from tasks.errors import ConfigError
from tasks.seeds import seed_of
from tasks.training.checkpoints import COPIED, SHARD_BYTES
from tasks.training.fit_settings import FitJob
from tasks.training.policy import Policy, device_of
from tasks.training.tensor_files import sync

HEAD = "score.weight"
"""The only weights that a language model does not have."""
OF_WEIGHTS = ("config.json", "generation_config.json")
"""Files of the source that speak of its own weights."""


def load_scorer(folder: Path, job: FitJob) -> Policy:
    """The model in `folder` in float32, with a seeded new head where it has none of one number."""
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        model, report = AutoModelForSequenceClassification.from_pretrained(
            str(folder),
            num_labels=1,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            local_files_only=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"cannot make a reward model of {folder}: {error}; take a decoder model, or a "
            "reward model with one output"
        ) from error
    missing = sorted(set(report["missing_keys"]) - {HEAD})
    if missing:
        raise ConfigError(f"{folder} holds no weights for {', '.join(missing)}: no decoder model")
    if HEAD in report["missing_keys"]:
        _new_head(model, job.seed)
    place = torch.device(device_of(job.device))
    model.eval().to(place)
    for parameter in model.parameters():
        # Own aligned memory: views into a mapped file may be computed on in another order.
        parameter.data = parameter.data.clone()
    return Policy(model=model, device=place, dtype=job.dtype)


def _new_head(model: Any, seed: int) -> None:
    """Small random weights: of zeros, dropout and body would not learn in the first step."""
    weight = model.score.weight
    chance = torch.Generator().manual_seed(seed_of(seed, "reward head"))
    drawn = torch.randn(weight.shape, generator=chance) / (weight.shape[1] + 1) ** 0.5
    weight.data.copy_(drawn)


def export_scorer(model: Any, source: Path, workdir: Path) -> None:
    """WORKDIR/model: weights and config as they are now beside the source's tokenizer."""
    made, folder = workdir / "model.part", workdir / "model"
    for path in (made, folder):
        shutil.rmtree(path, ignore_errors=True)
    model.save_pretrained(made, max_shard_size=SHARD_BYTES)
    for path in source.iterdir():
        text = path.suffix in COPIED and ".safetensors" not in path.name
        if text and path.name not in OF_WEIGHTS:
            shutil.copyfile(path, made / path.name)
    for path in [*made.iterdir(), made]:
        sync(path)
    made.rename(folder)
