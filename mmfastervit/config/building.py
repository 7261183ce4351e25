"""Building what a config describes, also without its weights or memory for new ones."""

from collections.abc import Callable
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .mistakes import explain
from .tree import rebuild


def build_model(cfg: Config, loads_weights: bool = True) -> BaseModel:
    """Build the model of a config for one process, its weights yet to be initialised.

    Args:
        cfg: The config.
        loads_weights: Whether its ``init_weights`` loads what the config names.

    Raises:
        ValueError: The config has no model, or one that cannot be built.
    """
    if not (cfg.get("model") and isinstance(cfg.model, dict)):
        raise ValueError("this config has no model")
    tree = cfg.to_dict()
    part = tree["model"] if loads_weights else without_weights(tree["model"])
    if tree.get("data_preprocessor"):  # the Runner puts it there too
        part.setdefault("data_preprocessor", tree["data_preprocessor"])
    try:
        with DefaultScope.overwrite_default_scope(cfg.get("default_scope")):
            return revert_sync_batchnorm(MODELS.build(ConfigDict(part)))
    except Exception as error:  # a config is a program, and a model of a zoo may raise anything
        raise ValueError(explain(error, cfg)) from error


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
