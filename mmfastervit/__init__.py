"""FasterViT for OpenMMLab: backbone, recipes and tools."""

from .models import FasterViT
from .version import __version__

__all__ = ["FasterViT", "__version__", "swap_backbone"]


def __getattr__(name: str):
    """Import what only a tool needs when it is asked for, so that a model's start stays quick."""
    if name == "swap_backbone":
        from .swap import swap_backbone

        return swap_backbone
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
