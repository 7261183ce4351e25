"""Which precision a layer computes in. Tensors without memory (meta) know no autocast."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def matmul_dtype(x: Tensor) -> torch.dtype:
    """Precision in which linear layers and attention compute on ``x``, autocast considered."""
    if not x.is_meta and torch.is_autocast_enabled(x.device.type):
        return torch.get_autocast_dtype(x.device.type)
    return x.dtype


def without_autocast(x: Tensor) -> AbstractContextManager:
    """A block in which what is computed of ``x`` keeps its precision."""
    return nullcontext() if x.is_meta else torch.autocast(x.device.type, enabled=False)
