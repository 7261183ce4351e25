"""Models; importing this registers them."""

from .backbones import FasterViT

__all__ = ["FasterViT"]
