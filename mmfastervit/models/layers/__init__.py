"""Layers shared by the backbone and the plug-ins."""

from .hat import AttentionStage
from .windows import WindowGrid

__all__ = ["AttentionStage", "WindowGrid"]
