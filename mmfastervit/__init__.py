"""FasterViT for OpenMMLab: backbone, recipes and tools."""

from .models import FasterViT
from .version import __version__

__all__ = ["FasterViT", "__version__"]
