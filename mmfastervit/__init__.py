"""FasterViT for OpenMMLab: backbone, recipes and tools."""

from importlib import import_module
from typing import Any

from .forks import find_zoos_by_module
from .models import FasterViT, HATPlugin, deploy, insert_hat, register_host, remove_hat
from .version import __version__

__all__ = [
    "FasterViT",
    "HATPlugin",
    "__version__",
    "deploy",
    "insert_hat",
    "load",
    "register_host",
    "register_reader",
    "register_rule",
    "remove_hat",
    "swap_backbone",
]

find_zoos_by_module()

_LATER = {
    "load": "mmfastervit.inference",
    **dict.fromkeys(("register_reader", "register_rule", "swap_backbone"), "mmfastervit.swap"),
}


def __getattr__(name: str) -> Any:
    """Import what only a tool needs when it is asked for, so that a model's start stays quick."""
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
