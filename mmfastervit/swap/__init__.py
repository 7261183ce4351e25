"""Swapping the backbone of an existing OpenMMLab config for FasterViT."""

from mmfastervit.config.changes import Change

from .context import Context, Outcome
from .errors import SwapAuditError, SwapRefusedError
from .planning import Swap, plan_swap, swap_backbone
from .rules import register_rule
from .zoo import register_reader

__all__ = [
    "Change",
    "Context",
    "Outcome",
    "Swap",
    "SwapAuditError",
    "SwapRefusedError",
    "plan_swap",
    "register_reader",
    "register_rule",
    "swap_backbone",
]
