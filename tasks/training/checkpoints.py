"""Checkpoints of a training job, and the finished model folder.

A checkpoint counts once its file DONE is there. It holds everything the next step depends on:
weights, optimizer, random state, and the metrics so far.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tasks.errors import DataError
from tasks.training.policy import Policy

KEPT = 2
"""The last checkpoints that stay: the newest may be being uploaded while the next is written."""
DONE = "DONE"
METRICS = "metrics.jsonl"
WEIGHTS = "*.safetensors*"
COPIED = {".json", ".jinja", ".txt", ".model", ".tiktoken"}
"""What a model folder holds besides weights: config, tokenizer, template."""


def folder_of(step: int) -> str:
    """Where the checkpoint after `step` steps lies, relative to the work folder."""
    return f"checkpoints/step-{step:07d}"


def latest(workdir: Path) -> Path | None:
    """The newest finished checkpoint; unfinished ones are removed."""
    finished = None
    for folder in sorted((workdir / "checkpoints").glob("step-*")):
        if (folder / DONE).exists():
            finished = folder
        else:
            shutil.rmtree(folder)
    return finished


def save(
    workdir: Path, policy: Policy, optimizer: torch.optim.Optimizer, state: dict[str, Any]
) -> str:
    """Write the checkpoint after state["step"] steps, DONE last; returns its folder's name."""
    name = folder_of(state["step"])
    folder = workdir / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    save_file(_contiguous(policy.parameters), folder / "model.safetensors")
    save_file(_optimizer_tensors(policy, optimizer), folder / "optimizer.safetensors")
    shutil.copyfile(workdir / METRICS, folder / METRICS)
    (folder / "state.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
    for path in [*folder.iterdir(), folder]:
        _sync(path)
    (folder / DONE).touch()
    _sync(folder)
    for old in sorted((workdir / "checkpoints").glob("step-*"))[:-KEPT]:
        (old / DONE).unlink(missing_ok=True)
        shutil.rmtree(old)
    return name


def read_state(folder: Path) -> dict[str, Any]:
    """What `save` was given as the state of the checkpoint in `folder`."""
    state: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    return state


def restore(workdir: Path, folder: Path, policy: Policy, optimizer: torch.optim.Optimizer) -> None:
    """Put the checkpoint in `folder` into policy, optimizer, generators and metrics file."""
    saved = load_file(folder / "model.safetensors")
    if saved.keys() != policy.parameters.keys():
        raise DataError(f"{folder} holds the weights of another model; remove the work folder")
    with torch.no_grad():
        for name, parameter in policy.parameters.items():
            parameter.copy_(saved[name])
    _restore_optimizer(policy, optimizer, load_file(folder / "optimizer.safetensors"))
    shutil.copyfile(folder / METRICS, workdir / METRICS)


def _optimizer_tensors(policy: Policy, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    tensors = {"random_state": torch.get_rng_state()}
    if policy.device.type == "cuda":
        tensors["random_state_cuda"] = torch.cuda.get_rng_state(policy.device)
    for name, parameter in policy.parameters.items():
        for entry, value in optimizer.state[parameter].items():
            tensors[f"{name}/{entry}"] = value
    return _contiguous(tensors)


def _restore_optimizer(
    policy: Policy, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]
) -> None:
    torch.set_rng_state(tensors.pop("random_state"))
    cuda = tensors.pop("random_state_cuda", None)
    if cuda is not None and policy.device.type == "cuda":
        torch.cuda.set_rng_state(cuda, policy.device)
    parameters = policy.parameters
    for key, value in tensors.items():
        name, _, entry = key.rpartition("/")
        place = parameters[name].device
        optimizer.state[parameters[name]][entry] = value.to(place).clone()


def _contiguous(tensors: Any) -> dict[str, Tensor]:
    return {name: tensor.detach().contiguous() for name, tensor in tensors.items()}


def export(policy: Policy, source: Path, workdir: Path) -> Path:
    """WORKDIR/model: the trained weights beside the source's config and tokenizer, unchanged."""
    weights, made, folder = (workdir / name for name in ("weights.part", "model.part", "model"))
    for path in (weights, made, folder):
        shutil.rmtree(path, ignore_errors=True)
    # The model's own way of saving: names in files differ from names in memory for some models.
    policy.model.save_pretrained(weights)
    made.mkdir()
    for path in source.iterdir():
        if path.suffix in COPIED and ".safetensors" not in path.name:
            shutil.copyfile(path, made / path.name)
    for path in weights.glob(WEIGHTS):
        path.rename(made / path.name)
    shutil.rmtree(weights)
    made.rename(folder)
    return folder


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
