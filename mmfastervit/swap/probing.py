"""What a backbone and its neck give out, found by building and running them."""

import ast
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import torch
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn

from mmfastervit.config.building import ShapesOnly, without_weights
from mmfastervit.config.tree import plain, rebuild, type_name
from mmfastervit.explaining import explained

from .levels import Level, nominal_stride

IMAGE_SIZE = 512
POOLING = "GlobalAveragePooling"


def necks_of(part: dict) -> tuple[dict, ...]:
    """The necks of a model, in order; most have one, some none."""
    neck = part.get("neck") or ()
    return (neck,) if isinstance(neck, dict) else tuple(neck)


def channels_of(part: dict) -> int:
    """Channels of a model's images."""
    return part["backbone"].get("in_channels") or 3


def measure_part(part: dict, scope: str | None) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    """:func:`measure` the backbone and the necks of a model, by its config."""
    return measure(part["backbone"], necks_of(part), scope, channels_of(part))


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
        The levels after the backbone, with their dilations, and those after the last neck.

    Raises:
        ValueError: the backbone or a neck can't be built, or gives no maps of such an image.
    """
    name, *listed = (type_name(one.get("type", "without a type")) for one in (backbone, *necks))
    size = f"a {IMAGE_SIZE}x{IMAGE_SIZE} image"
    with explained(f"the backbone {name} can't be built and run on {size} by its config"):
        maps = after = _measure(_source([backbone]), scope, ((in_channels, IMAGE_SIZE),))
    if POOLING in listed:
        after = ((maps[-1][0], 0),)  # whatever its window, for the image it was made for
    elif necks:
        neck = ", ".join(listed)
        with explained(f"the neck {neck} can't be built and run after {name} by its config"):
            after = _measure(_source(necks), scope, maps)
    return _with_dilations(_levels(maps), backbone), _levels(after)


def _source(parts: Sequence[dict]) -> str:
    """The parts as text, in which a class is named in full, as a registry finds it."""
    return repr([rebuild(without_weights(plain(part)), _name_classes) for part in parts])


def _name_classes(node: dict) -> dict:
    return {
        key: f"{value.__module__}.{value.__qualname__}" if isinstance(value, type) else value
        for key, value in node.items()
    }


@lru_cache(maxsize=256)
def _measure(
    parts: str, scope: str | None, inputs: tuple[tuple[int, int], ...]
) -> tuple[tuple[int, int], ...]:
    """Channels and side of the maps that come out, from those that go in; side 0 of a vector."""
    try:
        with ShapesOnly():
            modules = [module.to("meta") for module in _build(parts, scope)]
        return _run(modules, inputs, "meta")
    except (NotImplementedError, RuntimeError):  # mmcv's operators want tensors with memory
        return _run(_build(parts, scope), inputs, "cpu")


def _build(parts: str, scope: str | None) -> list[nn.Module]:
    with DefaultScope.overwrite_default_scope(scope):
        return [MODELS.build(part) for part in ast.literal_eval(parts)]


@torch.no_grad()
def _run(
    modules: list[nn.Module], inputs: Sequence[tuple[int, int]], device: str
) -> tuple[tuple[int, int], ...]:
    for module in modules:
        module.eval()
    with torch.device(device):
        maps: Any = tuple(torch.zeros(1, channels, side, side) for channels, side in inputs)
        maps = maps[0] if maps[0].shape[-1] == IMAGE_SIZE else maps  # an image, no list of maps
        for module in modules:
            maps = module(tuple(maps) if isinstance(maps, list) else maps)
    maps = (maps,) if isinstance(maps, Tensor) else maps
    if not all(isinstance(features, Tensor) for features in maps):
        raise TypeError(f"expected feature maps, got {[type(one).__name__ for one in maps]}")
    return tuple((one.shape[1], one.shape[-1] if one.ndim == 4 else 0) for one in maps)


def _levels(maps: Sequence[tuple[int, int]]) -> tuple[Level, ...]:
    return tuple(
        Level(channels, nominal_stride(IMAGE_SIZE, side) if side else 0) for channels, side in maps
    )


def _with_dilations(levels: tuple[Level, ...], backbone: dict) -> tuple[Level, ...]:
    """Add what the backbone's config says; dilation that it does not say shows in equal strides."""
    dilations = _instead_of_strides(backbone)
    indices = backbone.get("out_indices", range(len(levels)))
    if len(indices) != len(levels) or max(indices) >= len(dilations):
        return levels
    return tuple(
        replace(level, dilation=dilations[i]) for level, i in zip(levels, indices, strict=True)
    )


def _instead_of_strides(backbone: dict) -> list[int]:
    """For each stage, the dilation that stands in place of strides; FastFCN dilates besides."""
    strides, dilations = backbone.get("strides") or (), backbone.get("dilations") or ()
    factors, factor = [], 1
    for stride, (before, dilation) in zip(strides, pairwise((1, *dilations)), strict=False):
        if stride == 1 and dilation > before:
            factor *= dilation // before
        factors.append(factor)
    return factors


def parameter_names(backbone: dict, scope: str | None) -> tuple[str, ...]:
    """Names of a backbone's parameters."""
    return _parameter_names(_source([backbone]), scope)


@lru_cache(maxsize=256)
def _parameter_names(parts: str, scope: str | None) -> tuple[str, ...]:
    with ShapesOnly():
        (backbone,) = _build(parts, scope)
    return tuple(name for name, _ in backbone.named_parameters())


def number_of_layers(backbone: dict, scope: str | None) -> int | None:
    """Layers by which a backbone's learning rates go; None where it does not tell."""
    return _number_of_layers(_source([backbone]), scope)


@lru_cache(maxsize=256)
def _number_of_layers(parts: str, scope: str | None) -> int | None:
    with ShapesOnly():
        (backbone,) = _build(parts, scope)
    depth_of: Any = getattr(backbone, "get_layer_depth", None)
    name = next(name for name, _ in backbone.named_parameters())
    return depth_of(name, "")[1] if depth_of else None
