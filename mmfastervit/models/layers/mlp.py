"""MLP that keeps one hidden tensor for the backward pass instead of two."""

import torch
import torch.nn.functional as F
from timm.layers import Mlp
from torch import Tensor, nn

from .inplace import GELU
from .precision import matmul_dtype
from .recomputation import is_checkpointing


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
        weight, bias = self.fc2.weight.to(dtype), self.fc2.bias.to(dtype)
        return GELULinear.apply(hidden.to(dtype), weight, bias)

    def _recomputes(self, hidden: Tensor) -> bool:
        """Whether there is a backward pass to save memory for, and nobody to notice.

        Compilers and activation checkpointing decide themselves what to compute again. A layer that
        was replaced, or that has a hook, is to be called as the module that it is.
        """
        if torch.compiler.is_compiling() or torch.jit.is_tracing() or is_checkpointing():
            return False
        as_built = type(self.act) is GELU and type(self.fc2) is nn.Linear
        return hidden.requires_grad and as_built and not any(map(has_hooks, (self.act, self.fc2)))


def has_hooks(module: nn.Module) -> bool:
    """Whether something else is run when the module is."""
    hooks = (
        module._forward_pre_hooks,
        module._forward_hooks,
        module._backward_pre_hooks,
        module._backward_hooks,
    )
    return any(hooks)


class GELULinear(torch.autograd.Function):
    """``F.linear(F.gelu(x), weight, bias)``, of which only ``x`` and the weight are kept."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.linear(F.gelu(x), weight, bias)

    @staticmethod
    def setup_context(ctx, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        x, weight, _ = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        rows = grad.flatten(0, -2)
        grad_x = grad_weight = None
        if of_weight:
            grad_weight = rows.t() @ F.gelu(x).flatten(0, -2)
        if of_x:
            grad_x = gelu_backward(grad @ weight, x)
        return grad_x, grad_weight, rows.sum(0) if of_bias else None


def gelu_backward(grad: Tensor, x: Tensor) -> Tensor:
    """Gradient of GELU's input from that of its output, in the latter's memory where it can be."""
    if torch.is_grad_enabled():  # the gradient's own gradient is asked for
        return torch.ops.aten.gelu_backward(grad, x)
    return torch.ops.aten.gelu_backward.grad_input(grad, x, grad_input=grad)
