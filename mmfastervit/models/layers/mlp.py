"""MLP that keeps one hidden tensor for the backward pass instead of two, and elementwise steps.

In a deployed layer these steps reuse memory that nothing else reads: on a CPU a large new tensor
costs more in page faults than its arithmetic. Elsewhere a tensor may have other readers, such as
the hook of somebody who looks at activations, and is left alone.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from . import graph
from .linear import Linear, Way, matmul_dtype, multiply, multiply_backward
from .recomputation import is_checkpointing


class GELU(nn.Module):
    """GELU that overwrites its input once its layer is deployed."""

    deployed = False  # see deploy()

    def forward(self, x: Tensor) -> Tensor:
        overwrite = self.deployed and graph.is_disposable(x)
        return torch.ops.aten.gelu_(x) if overwrite else F.gelu(x)

    def fold(self) -> None:
        """Nothing is folded; from here on the input is overwritten."""


def add(x: Tensor, branch: Tensor, in_place: bool) -> Tensor:
    """Add a residual branch of the shape of ``x``; ``in_place`` into the branch's own memory."""
    if in_place and branch.dtype == x.dtype and graph.is_disposable(branch):
        return branch.add_(x)
    return x + branch


class LeanMlp(nn.Module):
    """MLP with GELU; in training, what GELU returns is computed again in backward.

    The hidden tensors are the largest of an attention layer, four times its tokens. GELU's
    derivative needs what went in, the second linear layer's what came out, and the latter follows
    from the former at the cost of one elementwise pass. Deployed, GELU may go along with the first
    linear layer.

    Args:
        channels: Channels in and out.
        hidden: Channels between.
    """

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.fc1 = Linear(channels, hidden)
        self.act = GELU()
        self.fc2 = Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., C) to the same shape."""
        is_watched = not (is_plain(self.fc1, Linear) and is_plain(self.act, GELU))
        activated = None if is_watched else self.fc1.gelu(x)
        if activated is not None:
            return self.fc2(activated)
        hidden = self.fc1(x)
        if not self._recomputes(hidden):
            return self.fc2(self.act(hidden))
        dtype = matmul_dtype(hidden)
        bias = None if self.fc2.bias is None else self.fc2.bias.to(dtype)
        way = self.fc2.way(hidden)
        return GELULinear.apply(hidden.to(dtype), self.fc2.weight.to(dtype), bias, way)

    def _recomputes(self, hidden: Tensor) -> bool:
        """Whether there is a backward pass to save memory for, and nobody to notice.

        Compilers and activation checkpointing decide themselves what to compute again. A layer that
        was replaced, or that something else runs with or instead of, is to be called as a module.
        """
        if not hidden.requires_grad or not graph.is_eager() or is_checkpointing():
            return False
        return is_plain(self.act, GELU) and is_plain(self.fc2, Linear)


def is_plain(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether calling the module runs the ``forward`` of its class ``kind`` and nothing else."""
    hooks = (
        module._forward_pre_hooks,
        module._forward_hooks,
        module._backward_pre_hooks,
        module._backward_hooks,
    )
    replaced = "forward" in vars(module) or module._compiled_call_impl is not None
    return type(module) is kind and not (replaced or any(hooks) or _has_any_global_hook())


class GELULinear(torch.autograd.Function):
    """:func:`multiply` of ``F.gelu(x)``, of which only ``x`` and the weight are kept."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None, way: Way) -> Tensor:
        return multiply(F.gelu(x), weight, bias, way)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        x, weight, _, ctx.way = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad[:3]
        of_product, of_weight, of_bias = multiply_backward(grad, F.gelu(x), weight, wanted, ctx.way)
        of_x = None if of_product is None else gelu_backward(of_product, x)
        return of_x, of_weight, of_bias, None


def gelu_backward(grad: Tensor, x: Tensor) -> Tensor:
    """Gradient of GELU's input from that of its output, in the latter's memory where it can be."""
    if torch.is_grad_enabled():  # the gradient's own gradient is asked for
        return torch.ops.aten.gelu_backward(grad, x)
    return torch.ops.aten.gelu_backward.grad_input(grad, x, grad_input=grad)
