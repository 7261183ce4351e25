"""Weights of FasterViT: published files, this package's own, and the way between them."""

from .content import state_arch
from .loading import LoadReport, load_backbone, load_weights, translate_on_load, with_own_loader
from .published import PUBLISHED, PublishedWeights

__all__ = [
    "PUBLISHED",
    "LoadReport",
    "PublishedWeights",
    "load_backbone",
    "load_weights",
    "state_arch",
    "translate_on_load",
    "with_own_loader",
]
