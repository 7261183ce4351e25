"""What a backbone and its neck give out, found by building and running them."""

import ast
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .edits import plain
from .levels import Level, nominal_stride

IMAGE_SIZE = 512


def measure(
    backbone: dict, necks: Sequence[dict], scope: str | None, in_channels: int = 3
) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    """Build a backbone and the necks after it, run them, and look at the maps.

    Args:
        backbone: Its config. Weights that it names are not loaded.
        necks: The configs of the necks, in order.
        scope: The OpenMMLab package whose names the configs use.
        in_channels: Channels of the image.

    Returns:
        The levels after the backbone, and those after the last neck.
    """
    parts = [without_weights(plain(part)) for part in (backbone, *necks)]
    return _measure(repr(parts), scope, in_channels)


def without_weights(part: Any) -> Any:
    """Drop whatever would load a checkpoint when the part is built or initialised."""
    if isinstance(part, dict):
        kept = {key: without_weights(value) for key, value in part.items() if key != "init_cfg"}
        if kept.get("pretrained"):
            kept["pretrained"] = False if kept["pretrained"] is True else None
        return kept
    if isinstance(part, (list, tuple)):
        return type(part)(without_weights(value) for value in part)
    return part


class _ShapesOnly(TorchFunctionMode):
    """Give parameters no memory, and leave tables that are read while a model is built alone."""

    factories = frozenset((torch.empty, torch.zeros, torch.ones, torch.randn, torch.rand))

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func in self.factories:
            kwargs["device"] = kwargs.get("device") or "meta"
        return func(*args, **kwargs)


@lru_cache(maxsize=256)
def _measure(parts: str, scope: str | None, in_channels: int):
    try:
        with _ShapesOnly():
            modules = [module.to("meta") for module in _build(parts, scope)]
        return _run(modules, in_channels, "meta")
    except (NotImplementedError, RuntimeError):
        # Operators of mmcv, deformable convolution above all, know no tensors without memory.
        return _run(_build(parts, scope), in_channels, "cpu")


def _build(parts: str, scope: str | None) -> list[nn.Module]:
    with DefaultScope.overwrite_default_scope(scope):
        return [MODELS.build(part) for part in ast.literal_eval(parts)]


@torch.no_grad()
def _run(modules: list[nn.Module], in_channels: int, device: str):
    for module in modules:
        module.eval()
    backbone, *necks = modules
    with torch.device(device):
        maps = backbone(torch.zeros(1, in_channels, IMAGE_SIZE, IMAGE_SIZE))
        after_backbone = _levels(maps)
        for neck in necks:
            maps = _apply(neck, maps)
    return after_backbone, _levels(maps)


def _apply(neck: nn.Module, maps: Any) -> Any:
    return neck(tuple(maps) if isinstance(maps, list) else maps)


def _levels(maps: Any) -> tuple[Level, ...]:
    maps = [maps] if isinstance(maps, Tensor) else maps
    found = []
    for features in maps:
        if not isinstance(features, Tensor):
            raise TypeError(f"expected a feature map, the part gave a {type(features).__name__}")
        stride = nominal_stride(IMAGE_SIZE, features.shape[-1]) if features.ndim == 4 else 0
        found.append(Level(features.shape[1], stride))
    return tuple(found)


def parameter_names(backbone: dict, scope: str | None) -> tuple[str, ...]:
    """Names of a backbone's parameters."""
    return _parameter_names(repr([without_weights(plain(backbone))]), scope)


@lru_cache(maxsize=256)
def _parameter_names(parts: str, scope: str | None) -> tuple[str, ...]:
    with _ShapesOnly():
        (backbone,) = _build(parts, scope)
    return tuple(name for name, _ in backbone.named_parameters())
