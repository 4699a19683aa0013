"""One of two processes that train a sharded model and save a checkpoint: RANK WORKDIR."""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from tasks.training import checkpoints
from tasks.training.checkpoints import Saved

WORLD = 2


def small_model():
    """Sizes that two processes cannot share evenly."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Linear(5, 1))


def described(model):
    """A model, its optimizer and a table that every process has whole."""
    return Saved(
        model=dict(model.named_parameters()),
        optimizer=torch.optim.AdamW(model.parameters(), lr=0.1),
        extras={"table": {"rows": torch.arange(4.0)}},
        state={"step": 2},
    )


def whole(saved):
    """Every tensor as it is without sharding, histories included."""
    names = {id(tensor): name for name, tensor in saved.named().items()}
    found = dict(saved.kept())
    for parameter, entries in saved.optimizer.state.items():
        found |= {f"{names[id(parameter)]}/{key}": value for key, value in entries.items()}
    full = {k: v.full_tensor() if isinstance(v, DTensor) else v for k, v in found.items()}
    return {name: tensor.detach().clone() for name, tensor in full.items()}


def main(rank, workdir):
    rendezvous = f"file://{workdir}/rendezvous"
    dist.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=WORLD)
    model = fully_shard(small_model(), mesh=init_device_mesh("cpu", (WORLD,)))
    saved = described(model)
    for _ in range(2):
        saved.optimizer.zero_grad()
        model(torch.ones(2, 3)).sum().backward()
        saved.optimizer.step()
    (workdir / "metrics.jsonl").touch()
    folder = workdir / checkpoints.save(workdir, saved, keep_last=2)
    before = whole(saved)
    if rank == 0:
        save_file(before, workdir / "expected.safetensors")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    again = described(model)
    checkpoints.restore(workdir, folder, again)
    after = whole(again)
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
