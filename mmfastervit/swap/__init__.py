"""Swapping the backbone of an existing OpenMMLab config for FasterViT."""

from .errors import SwapAuditError, SwapRefusedError
from .planning import Swap, plan_swap, swap_backbone

__all__ = ["Swap", "SwapAuditError", "SwapRefusedError", "plan_swap", "swap_backbone"]
