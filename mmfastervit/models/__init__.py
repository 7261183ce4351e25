"""Models; importing this registers them."""

from .backbones import FasterViT
from .plugins import HATPlugin, insert_hat, register_host, remove_hat

__all__ = ["FasterViT", "HATPlugin", "insert_hat", "register_host", "remove_hat"]
