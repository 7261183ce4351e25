"""MLP that keeps one hidden tensor for the backward pass instead of two, and elementwise steps.

In a deployed layer these steps reuse memory that nothing else reads: on a CPU a large new tensor
costs more in page faults than its arithmetic. Elsewhere a tensor may have other readers, such as
the hook of somebody who looks at activations, and is left alone.
"""

from typing import Any

import torch
import torch.nn.functional as F
from timm.layers import Mlp
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from . import graph
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


def matmul_dtype(x: Tensor) -> torch.dtype:
    """Precision in which linear layers and attention compute on ``x``, autocast considered."""
    if not x.is_meta and torch.is_autocast_enabled(x.device.type):  # meta has no autocast
        return torch.get_autocast_dtype(x.device.type)
    return x.dtype


class LeanMlp(Mlp):
    """timm's MLP with GELU; in training, what GELU returns is computed again in backward.

    The hidden tensors are the largest of an attention layer, four times its tokens. GELU's
    derivative needs what went in, the second linear layer's what came out, and the latter follows
    from the former at the cost of one elementwise pass.

    Args:
        channels: Channels in and out.
        hidden: Channels between.
    """

    def __init__(self, channels: int, hidden: int):
        super().__init__(channels, hidden, act_layer=GELU)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., C) to the same shape."""
        hidden = self.fc1(x)
        if not self._recomputes(hidden):
            return self.fc2(self.act(hidden))
        dtype = matmul_dtype(hidden)
        bias = None if self.fc2.bias is None else self.fc2.bias.to(dtype)
        return GELULinear.apply(hidden.to(dtype), self.fc2.weight.to(dtype), bias)

    def _recomputes(self, hidden: Tensor) -> bool:
        """Whether there is a backward pass to save memory for, and nobody to notice.

        Compilers and activation checkpointing decide themselves what to compute again. A layer that
        was replaced, or that something else runs with or instead of, is to be called as a module.
        """
        if not hidden.requires_grad or not graph.is_eager() or is_checkpointing():
            return False
        return is_plain(self.act, GELU) and is_plain(self.fc2, nn.Linear)


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
    """``F.linear(F.gelu(x), weight, bias)``, of which only ``x`` and the weight are kept."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.linear(F.gelu(x), weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        x, weight, _ = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        rows = grad.flatten(0, -2)
        grad_weight = rows.t() @ F.gelu(x).flatten(0, -2) if of_weight else None
        grad_x = gelu_backward(grad @ weight, x) if of_x else None
        return grad_x, grad_weight, rows.sum(0) if of_bias else None


def gelu_backward(grad: Tensor, x: Tensor) -> Tensor:
    """Gradient of GELU's input from that of its output, in the latter's memory where it can be."""
    if torch.is_grad_enabled():  # the gradient's own gradient is asked for
        return torch.ops.aten.gelu_backward(grad, x)
    return torch.ops.aten.gelu_backward.grad_input(grad, x, grad_input=grad)
