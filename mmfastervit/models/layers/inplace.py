"""Elementwise steps that, in a deployed layer, reuse memory that nothing else reads.

On a CPU a large new tensor costs more in page faults than its arithmetic. Elsewhere a tensor may
have other readers, such as the hook of somebody who looks at activations, and is left alone.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GELU(nn.Module):
    """GELU that overwrites its input once its layer is deployed."""

    in_place = False  # see deploy()

    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.aten.gelu_(x) if self.in_place and is_disposable(x) else F.gelu(x)


def add(x: Tensor, branch: Tensor, in_place: bool) -> Tensor:
    """Add a residual branch of the shape of ``x``; ``in_place`` into the branch's own memory."""
    if in_place and branch.dtype == x.dtype and is_disposable(branch):
        return branch.add_(x)
    return x + branch


def is_disposable(fresh: Tensor) -> bool:
    """Whether neither a gradient nor a compiler needs a tensor that was just computed."""
    needed = fresh.requires_grad and torch.is_grad_enabled()
    return not needed and not torch.compiler.is_compiling()
