"""Backbones."""

from .fastervit import FasterViT

__all__ = ["FasterViT"]
