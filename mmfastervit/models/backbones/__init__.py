"""Backbones."""

from .archs import ARCHS, Arch
from .fastervit import FasterViT

__all__ = ["ARCHS", "Arch", "FasterViT"]
