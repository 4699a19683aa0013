"""Linear layers on CPU by oneDNN, which is 2 to 3 times as fast as MKL on AMD processors."""

import os
from typing import Any, cast

import torch
from torch import Tensor, nn

KERNELS = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
"""oneDNN's variable for how many kernels it keeps, read when it makes the first one."""
KERNELS_KEPT = 64
"""More than the shapes of one step; batches differ in length, so older ones rarely come again.

oneDNN's 1,024 were 100 MB after ten steps of a small model, and grew; this many cost no time.
"""


def use_onednn(model: nn.Module) -> None:
    """Let the linear layers of a float32 `model` on CPU compute by oneDNN, where torch has it."""
    known = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not (known and hasattr(torch.ops.mkldnn, "_linear_pointwise")):
        return
    os.environ.setdefault(KERNELS, str(KERNELS_KEPT))
    for module in model.modules():
        if type(module) is nn.Linear:
            module.__class__ = OneDNNLinear


class OneDNNLinear(nn.Linear):
    """nn.Linear with another kernel: equal up to rounding, and as deterministic."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs times the transposed weight, plus the bias."""
        output = _Product.apply(inputs, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return cast(Tensor, output)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        context.save_for_backward(inputs, weight)
        return _product(inputs, weight, bias)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = context.saved_tensors
        for_inputs, for_weight, for_bias = context.needs_input_grad
        flat = gradients[0].reshape(-1, gradients[0].shape[-1])
        to_inputs = to_weight = None
        if for_inputs:
            to_inputs = _product(flat, weight.t(), None).view_as(inputs)
        if for_weight:
            to_weight = _product(flat.t(), inputs.reshape(-1, inputs.shape[-1]).t(), None)
        return to_inputs, to_weight, flat.sum(0) if for_bias else None


def _product(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    output: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")
    return output
