"""A model's parameters spread over the processes (FSDP2): each holds a part of every one.

A layer's parameters are gathered while it computes. What lies outside of layers, embeddings, last
norm and head, is gathered while `Root` runs a computation, and stays until its backward pass.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from tasks.errors import ConfigError
from tasks.training import processes

T = TypeVar("T")


class Root(nn.Module):
    """Runs computations with a sharded model."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, compute: Callable[..., T], *arguments: Any) -> T:
        """What `compute` returns; tensors in it carry the gradient."""
        return compute(*arguments)

    def run(self, compute: Callable[..., T], *arguments: Any) -> T:
        """compute(*arguments) with all parameters at hand; every process calls it alike."""
        result: T = self(compute, *arguments)
        if not torch.is_grad_enabled():
            sharded(self).reshard()  # no backward pass will do it
        return result


def sharded(module: nn.Module) -> FSDPModule:
    """`module` as what fully_shard made of it."""
    assert isinstance(module, FSDPModule)
    return module


def shard(model: nn.Module, device: torch.device) -> Root:
    """Keep a part of each parameter of `model` on `device` in each process.

    It comes from the host memory layer by layer, so `device` never holds the whole model. Gradients
    are summed over the processes. Raises ConfigError for a model without known layers.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [one for one in model.modules() if isinstance(one, GradientCheckpointingLayer)]
    if not layers:
        raise ConfigError(
            f"{type(model).__name__} has no layers that processes can share; "
            "set training.processes=1"
        )
    mesh = init_device_mesh(device.type, (processes.count(),))
    root = Root(model)
    for layer in layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(root, mesh=mesh, reshard_after_forward=False)
    for module in (*layers, root):
        # The objective is divided by the prompts of all processes already.
        sharded(module).set_gradient_divide_factor(1.0)
        sharded(module).set_force_sum_reduction_for_comms(True)  # gloo cannot scale while it sums
    return root


def whole(tensor: Tensor) -> Tensor:
    """`tensor` as it is without sharding; every process calls it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


@torch.no_grad()
def whole_weights(model: nn.Module) -> dict[str, Tensor]:
    """The model's weights and buffers in the first process's host memory; none in the others.

    Every process calls it. What is tied in the model is one tensor here as well.
    """
    found: dict[str, Tensor] = {}
    places: dict[int, Tensor] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in places:
            gathered = whole(tensor)
            places[id(tensor)] = gathered.cpu() if processes.rank() == 0 else tensor
        found[name] = places[id(tensor)]
    return found if processes.rank() == 0 else {}
