"""Building what a config describes without its weights, and without memory for new ones."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .tree import rebuild


def without_weights(part: Any) -> Any:
    """Drop whatever would load a checkpoint when the part is built or initialised."""

    def drop(node: dict) -> dict:
        kept = {key: value for key, value in node.items() if key != "init_cfg"}
        if kept.get("pretrained"):
            kept["pretrained"] = False if kept["pretrained"] is True else None
        return kept

    return rebuild(part, drop)


class ShapesOnly(TorchFunctionMode):
    """Give parameters no memory, and leave tables that are read while a model is built alone."""

    factories = frozenset((torch.empty, torch.zeros, torch.ones, torch.randn, torch.rand))

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if args and isinstance(args[0], Tensor) and args[0].is_meta and _fills(func):
            return args[0]
        if func in self.factories:
            kwargs["device"] = kwargs.get("device") or "meta"
        return func(*args, **kwargs)


def _fills(func: Callable) -> bool:
    """Whether it is a method that works in place, as those that initialise a parameter do."""
    name = func.__name__
    return name.endswith("_") and not name.startswith("_") and name != "requires_grad_"
