"""FasterViT for OpenMMLab: backbone, recipes and tools."""

from .models import FasterViT, HATPlugin, insert_hat, register_host, remove_hat
from .version import __version__

__all__ = [
    "FasterViT",
    "HATPlugin",
    "__version__",
    "insert_hat",
    "register_host",
    "remove_hat",
]
