"""Which models a file from anybody may describe, so that building one runs nothing of its choice.

A config dict is close to a program. mmengine imports whatever module a dotted ``type`` names and
calls what it finds there (``type='os.system'``), and mmcv evaluates the ``type`` of a non-maximum
suppression as Python. Other arguments name files and addresses that are then read. So of a
description that came with weights

- every ``type`` is a class that mmdet, mmseg, mmcv, mmengine, mmpretrain, this package or torch has
  registered as a part of models, or one of the few names beside;
- the pipeline has none but the transforms that resize, pad and pack;
- strings are names, not expressions, paths or addresses;
- nothing asks for weights from elsewhere, or imports.
"""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from torch import nn

from mmfastervit.config.tree import dotted, walk

SCOPES = ("mmengine", "mmdet", "mmseg", "mmpretrain", "mmfastervit")
_REGISTRIES = ("MODELS", "TASK_UTILS")
_PACKAGES = ("mmcv", "mmdet", "mmengine", "mmfastervit", "mmpretrain", "mmseg", "torch")
# They read models of a text's words from other sites, or take code from there.
_FOREIGN = (
    "mmdet.models.language_models",
    "mmpretrain.models.multimodal",
    "mmpretrain.models.utils.huggingface",
    "mmseg.models.text_encoder",
)
# Registered functions that build a part, known by their full name.
_BUILDERS = ("mmfastervit.models.plugins.insertion.build_hat_backbone",)
_SUPPRESSIONS = ("nms", "nms_match", "nms_quadri", "nms_rotated", "soft_nms")
_TRANSFORMS = (
    "CenterCrop",
    "FixShapeResize",
    "LoadAnnotations",  # left out before anything is built, as are those like it
    "LoadImageFromFile",
    "LoadPanopticAnnotations",
    "Normalize",
    "PackDetInputs",
    "PackSegInputs",
    "Pad",
    "Resize",
    "ResizeShortestEdge",
    "ResizeToMultiple",
)
_PLAIN = re.compile(r"[\w.+\- ]{0,200}")
_KEY = re.compile(r"[A-Za-z_]\w{0,99}")
_ELSEWHERE = re.compile("pretrained|checkpoint|ckpt|init_cfg|name_or_path|remote|custom_imports")
_LARGEST = 10**9
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")  # of a class: any text in one line


def check_description(described: dict[str, Any]) -> None:
    """Look whether a description of a model is one that may be built.

    Args:
        described: ``default_scope``, ``model``, ``test_pipeline``, ``classes`` and ``palette``.
            Entries of the model that ask for pretrained weights are dropped where they stand, as
            they are of no use to a model whose weights are there.

    Raises:
        ValueError: It is none, or one that may do more than compute; says where.
    """
    scope = described.get("default_scope")
    if scope not in SCOPES:
        raise ValueError(f"default_scope is {scope!r}, and may be one of {', '.join(SCOPES)}")
    if not isinstance(described.get("model"), dict):
        raise ValueError("there is no model in it")
    _check_names(described.get("classes"), described.get("palette"))
    described["model"] = _without_starts(described["model"])
    _check_values(described["model"], "model")
    _check_types(described["model"], _scopes_in(described["model"], scope))
    _check_pipeline(described.get("test_pipeline"))


def _check_names(classes: Any, palette: Any) -> None:
    for name in classes if isinstance(classes, (list, tuple)) else () if classes is None else [0]:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError("classes are no list of names")
    for _, value in walk(palette):
        if not isinstance(value, (list, tuple, str, int, type(None))):
            raise ValueError("palette is no list of colours")


def _without_starts(node: Any) -> Any:
    """Drop what says from where a part takes weights before its own are loaded."""
    if isinstance(node, dict):
        kept = {key: inner for key, inner in node.items() if key != "init_cfg"}
        if "pretrained" in kept and kept["pretrained"] is not False:
            kept["pretrained"] = False if kept["pretrained"] is True else None
        return {key: _without_starts(inner) for key, inner in kept.items()}
    if isinstance(node, (list, tuple)):
        return type(node)(_without_starts(inner) for inner in node)
    return node


def _check_values(part: Any, key: str) -> None:
    """Look whether all that stands in a part are numbers, names, and holders of these."""
    for path, value in walk(part, (key,)):
        place = dotted(path)
        if isinstance(value, dict):
            for name in value:
                if not isinstance(name, str) or not _KEY.fullmatch(name):
                    raise ValueError(f"{place} has a key that is no name: {name!r:.60}")
        elif isinstance(value, str):
            if not _PLAIN.fullmatch(value) or "__" in value:
                raise ValueError(f"{place} is no plain name: {value!r:.60}")
        elif isinstance(value, (int, float)):
            if abs(value) > _LARGEST and value == value and abs(value) != float("inf"):
                raise ValueError(f"{place} is too large a number: {value!r:.40}")
        elif value is not None and not isinstance(value, (list, tuple)):
            raise ValueError(f"{place} is a {type(value).__name__}")
        if isinstance(path[-1], str) and _ELSEWHERE.search(path[-1]) and value:
            raise ValueError(f"{place} asks for something from elsewhere")


def _scopes_in(model: dict, scope: str) -> tuple[str, ...]:
    """The packages that parts of a model are looked for in."""
    found = {scope: None, "mmengine": None}
    for path, value in walk(model, ("model",)):
        if path[-1] == "_scope_":
            if value not in SCOPES:
                raise ValueError(f"{dotted(path)} is {value!r}, no package of OpenMMLab")
            found[value] = None
        elif path[-1] == "type" and isinstance(value, str):
            first = value.partition(".")[0]
            if "." in value and first in SCOPES:
                found[first] = None
    return tuple(found)


def _check_types(model: dict, scopes: tuple[str, ...]) -> None:
    for path, value in walk(model, ("model",)):
        if path[-1] != "type":
            continue
        if not isinstance(value, str):
            raise ValueError(f"{dotted(path)} is no name")
        if "nms" in path and value in _SUPPRESSIONS:
            continue
        things = [*_registered(value, scopes)]
        if not things or not all(map(_is_part, things)):
            raise ValueError(
                f"{dotted(path)} is {value!r}, which is no part of a model that mmdet, mmseg, "
                "mmcv, mmengine, mmpretrain or mmfastervit has registered"
            )


def _registered(name: str, scopes: tuple[str, ...]) -> Iterator[Any]:
    """All that a name of a ``type`` may mean to mmengine's registries, without importing it."""
    scope, _, bare = name.rpartition(".")
    if scope and scope not in SCOPES:
        return
    for package in [scope] if scope else scopes:
        module = import_module(
            "mmengine.registry" if package == "mmengine" else f"{package}.registry"
        )
        for kind in _REGISTRIES:
            registry = getattr(module, kind, None)
            if registry is not None:
                registry.import_from_location()
                if bare in registry.module_dict:
                    yield registry.module_dict[bare]
    if not scope:
        operation = getattr(import_module("mmcv.ops"), bare, None)  # RoIAlign: looked up there
        if inspect.isclass(operation) and issubclass(operation, nn.Module):
            yield operation


def _is_part(thing: Any) -> bool:
    """Whether something registered is a class of the packages that computes, and no more."""
    module = getattr(thing, "__module__", "")
    if any(module == name or module.startswith(f"{name}.") for name in _FOREIGN):
        return False
    if not inspect.isclass(thing):
        return f"{module}.{getattr(thing, '__qualname__', '')}" in _BUILDERS
    return module.partition(".")[0] in _PACKAGES


def _check_pipeline(pipeline: Any) -> None:
    if not isinstance(pipeline, (list, tuple)) or not pipeline:
        raise ValueError("there is no test_pipeline in it, the steps from a picture to the model")
    _check_values(pipeline, "test_pipeline")
    for path, value in walk(pipeline, ("test_pipeline",)):
        if path[-1] == "type":
            scope, _, bare = str(value).rpartition(".")
            if bare not in _TRANSFORMS or (scope and scope not in ("mmdet", "mmseg", "mmcv")):
                raise ValueError(
                    f"{dotted(path)} is {value!r}; the steps that are taken are "
                    f"{', '.join(_TRANSFORMS)}"
                )
