"""Elementwise steps that reuse memory where nothing else reads it.

On a CPU a large new tensor costs more in page faults than its arithmetic. Gradients and compilers
need, or arrange, their memory themselves and get the plain operation.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GELU(nn.Module):
    """GELU that in inference overwrites its input, which a layer must have just computed."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.aten.gelu_(x) if is_disposable(x) else F.gelu(x)


def add(x: Tensor, branch: Tensor) -> Tensor:
    """Add a residual branch of the shape of ``x``, in inference into the branch's own memory."""
    if branch.dtype == x.dtype and is_disposable(branch):
        return branch.add_(x)
    return x + branch


def is_disposable(fresh: Tensor) -> bool:
    """Whether a tensor that was just computed, and has one reader, may be overwritten."""
    needed = fresh.requires_grad and torch.is_grad_enabled()
    return not needed and not torch.compiler.is_compiling()
