"""Checkpoints of a training job, and the finished model folder.

A checkpoint counts once its file DONE is there, which names every other file with its sha256. It
holds everything the next step depends on: weights, optimizer, further tensors such as a moving
average, random state, and the metrics so far. Nothing in it is pickled: it travels through stores.
"""

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tasks.child import Reporter, write_json
from tasks.errors import DataError
from tasks.training.adapters import has_adapter, merged_weights, save_stacked
from tasks.training.policy import Policy
from tasks.training.processes import rank, together
from tasks.training.sharding import whole_weights
from tasks.training.tensor_files import (
    Files,
    digest_of,
    read_tensors,
    stored_tensors,
    sync,
    write_tensors,
)

DONE = "DONE"
STATE = "state.json"
METRICS = "metrics.jsonl"
WEIGHTS = "*.safetensors*"
COPIED = {".json", ".jinja", ".txt", ".model", ".tiktoken"}
"""What a model folder holds besides weights: config, tokenizer, template."""
SHARD_BYTES = 5 * 10**9
"""Largest file of an exported model."""


@dataclass(frozen=True, kw_only=True)
class Saved:
    """What a checkpoint is of: tensors as they are in memory, plain or sharded (DTensor)."""

    model: Mapping[str, Tensor]
    """Parameters by name, tied ones once; those that are not trained are not kept."""
    optimizer: torch.optim.Optimizer
    """Its state is kept by the names of `model` and `extras`, without its settings."""
    extras: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    """Further tensors by what they are, e.g. reference or head."""
    state: Mapping[str, Any] = field(default_factory=dict)
    """Everything else, as JSON can say it; `step` names the checkpoint."""

    def named(self) -> dict[str, Tensor]:
        """The parameters and further tensors themselves, by the names they have in files."""
        found = {f"model/{name}": tensor for name, tensor in self.model.items()}
        for what, extra in self.extras.items():
            found |= {f"extras/{what}/{name}": tensor for name, tensor in extra.items()}
        return found

    def kept(self) -> dict[str, Tensor]:
        """Those of them that change, without their history."""
        return {
            name: tensor.detach()
            for name, tensor in self.named().items()
            if tensor.requires_grad or not name.startswith("model/")
        }


def folder_of(step: int) -> str:
    """Where the checkpoint after `step` steps lies, relative to the work folder."""
    return f"checkpoints/step-{step:07d}"


def latest(workdir: Path, reporter: Reporter) -> Path | None:
    """The newest checkpoint that is as it was written; others are removed.

    One whose files are not what DONE says is reported as the event `damaged` and on stderr.
    """
    for folder in sorted((workdir / "checkpoints").glob("step-*"), reverse=True):
        if (folder / DONE).exists():
            wrong = damage(folder)
            if wrong is None:
                return folder
            sys.stderr.write(f"{folder} is damaged and not used: {wrong}\n")
            reporter.event("damaged", folder=f"checkpoints/{folder.name}", why=wrong)
        shutil.rmtree(folder)
    return None


def damage(folder: Path) -> str | None:
    """What is wrong with the files of a finished checkpoint; None if nothing is."""
    try:
        listed: Files = json.loads((folder / DONE).read_text(encoding="utf-8"))["files"]
    except (ValueError, KeyError, TypeError) as error:
        return f"{DONE} cannot be read ({error})"
    present = {path.name for path in folder.iterdir()} - {DONE}
    if present != listed.keys():
        return f"it holds {sorted(present)}, written were {sorted(listed)}"
    for name, file in listed.items():
        if digest_of(folder / name) != file:
            return f"{name} is not what was written (size or sha256 differ)"
    return None


def save(workdir: Path, saved: Saved, keep_last: int) -> str:
    """Write the checkpoint after state["step"] steps, DONE last; returns its folder's name.

    Every process calls it. All but the last `keep_last` checkpoints are removed then.
    """
    name = folder_of(saved.state["step"])
    folder = workdir / name
    if rank() == 0:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    together()
    files = write_tensors(folder, saved.kept() | _optimizer_tensors(saved) | _random_state())
    if rank() == 0:
        _finish(workdir, folder, files, saved.state)
        for old in sorted((workdir / "checkpoints").glob("step-*"))[:-keep_last]:
            (old / DONE).unlink(missing_ok=True)
            shutil.rmtree(old)
    together()
    return name


def _finish(workdir: Path, folder: Path, files: Files, state: Mapping[str, Any]) -> None:
    (folder / STATE).write_text(json.dumps(dict(state), indent=1), encoding="utf-8")
    shutil.copyfile(workdir / METRICS, folder / METRICS)
    for name in (STATE, METRICS):
        sync(folder / name)
        files[name] = digest_of(folder / name)
    write_json(folder / DONE, {"files": files})
    for path in (folder / DONE, folder, folder.parent):
        sync(path)


def read_state(folder: Path) -> dict[str, Any]:
    """What `save` was given as the state of the checkpoint in `folder`."""
    state: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
    return state


def restore(workdir: Path, folder: Path, saved: Saved) -> None:
    """Put the checkpoint in `folder` into tensors, optimizer, generators and metrics file.

    Every process calls it; there may be more or fewer than those that saved. The state is not
    touched: `read_state`.
    """
    kept, stored = saved.kept(), stored_tensors(folder)
    if {name for name in stored if name.startswith(("model/", "extras/"))} != kept.keys():
        raise DataError(f"{folder} holds the weights of another model; remove the work folder")
    history = {
        name: _place_for(saved, name, tuple(entry.size), entry.properties.dtype)
        for name, entry in stored.items()
        if name.startswith("optimizer/")
    }
    generators = {name: one for name, one in _random_state().items() if name in stored}
    read_tensors(folder, kept | history | generators)
    named = saved.named()
    for name, tensor in history.items():
        owner, _, entry = name.removeprefix("optimizer/").rpartition("/")
        saved.optimizer.state[named[owner]][entry] = tensor
    _set_random_state(generators)
    if rank() == 0:
        shutil.copyfile(folder / METRICS, workdir / METRICS)


def _optimizer_tensors(saved: Saved) -> dict[str, Tensor]:
    names = {id(tensor): name for name, tensor in saved.named().items()}
    return {
        f"optimizer/{names[id(parameter)]}/{entry}": value
        for parameter, entries in saved.optimizer.state.items()
        for entry, value in entries.items()
    }


def _place_for(saved: Saved, name: str, size: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """An empty tensor for an entry of the optimizer: sharded as its parameter, or on its own."""
    owner = name.removeprefix("optimizer/").rpartition("/")[0]
    parameter = saved.named().get(owner)
    if parameter is None:
        raise DataError(f"a checkpoint has {name}, but nothing here is called {owner}")
    if size == tuple(parameter.shape):
        return torch.empty_like(parameter, dtype=dtype, requires_grad=False)
    # A count of steps: a fused optimizer wants it where the parameter is, others on the host.
    fused = any(group.get("fused") for group in saved.optimizer.param_groups)
    return torch.empty(size, dtype=dtype, device=parameter.device if fused else "cpu")


def _random_state() -> dict[str, Tensor]:
    """State of this process's generators, by its rank."""
    states = {f"random/{rank()}/cpu": torch.get_rng_state()}
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states[f"random/{rank()}/cuda"] = torch.cuda.get_rng_state()
    return states


def _set_random_state(states: Mapping[str, Tensor]) -> None:
    for name, state in states.items():
        if name.endswith("/cuda"):
            torch.cuda.set_rng_state(state)
        else:
            torch.set_rng_state(state)


def export(
    policy: Policy, source: Path, workdir: Path, name: str = "model", *, stacked: bool = False
) -> Path:
    """WORKDIR/name: the weights as they are now beside the source's config and tokenizer.

    Adapters are merged; `stacked` keeps all rounds' adapters besides. Every process calls it, the
    first one writes.
    """
    folder = workdir / name
    whole = _whole_weights(policy)
    if rank() > 0:
        together()
        return folder
    weights, made = workdir / "weights.part", workdir / "model.part"
    for path in (weights, made, folder):
        shutil.rmtree(path, ignore_errors=True)
    # The model's own way of saving: names in files differ from names in memory for some models.
    policy.model.save_pretrained(weights, state_dict=whole, max_shard_size=SHARD_BYTES)
    made.mkdir()
    for path in source.iterdir():
        if path.suffix in COPIED and ".safetensors" not in path.name:
            shutil.copyfile(path, made / path.name)
    for path in weights.glob(WEIGHTS):
        path.rename(made / path.name)
    shutil.rmtree(weights)
    if stacked:
        save_stacked(policy.model, source, made)
    for path in [*made.iterdir(), made]:
        sync(path)
    folder.parent.mkdir(exist_ok=True)
    made.rename(folder)
    together()
    return folder


def _whole_weights(policy: Policy) -> dict[str, Tensor] | None:
    """What to write where the model as it is will not do: parts put together, an adapter merged."""
    if policy.root is not None:
        return whole_weights(policy.model)
    return merged_weights(policy.model) if has_adapter(policy.model) else None
