"""Which precision a layer computes in."""

import torch
from torch import Tensor


def matmul_dtype(x: Tensor) -> torch.dtype:
    """Precision in which linear layers and attention compute on ``x``, autocast considered."""
    if not x.is_meta and torch.is_autocast_enabled(x.device.type):  # no autocast knows meta
        return torch.get_autocast_dtype(x.device.type)
    return x.dtype
