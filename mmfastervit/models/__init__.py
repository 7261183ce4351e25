"""Models; importing this registers them."""

from .backbones import FasterViT
from .deployment import deploy
from .plugins import HATPlugin, insert_hat, register_host, remove_hat

__all__ = ["FasterViT", "HATPlugin", "deploy", "insert_hat", "register_host", "remove_hat"]
