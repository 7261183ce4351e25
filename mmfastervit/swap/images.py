"""Normalisation and channel order: FasterViT's weights want RGB, normalised as ImageNet is."""

from collections.abc import Iterator
from typing import Any

from mmfastervit.engine.config_tree import type_name

from .edits import ABSENT, Change, Path, value_at

MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)
_WHY = "FasterViT's weights want RGB normalised as ImageNet is"
_FILLS = {"Expand", "RandomCenterCropPad"}
_PIPELINE_HOLDERS = (
    "train_dataloader",
    "val_dataloader",
    "test_dataloader",
    "tta_pipeline",
    "custom_hooks",
)
_CLASSIFY = {"ImageClassifier", "BaseReID"}  # whose preprocessors call the channel order to_rgb


def normalise(cfg: dict, channels: int) -> list[Change]:
    """Correct the data preprocessor, or preprocessors, and the transforms that know the mean.

    Args:
        cfg: The whole config.
        channels: Channels of an image; several RGB images in one have a multiple of three.
    """
    preprocessors = list(_preprocessors(cfg))
    pipelines = [change for key in _PIPELINE_HOLDERS for change in _in(cfg.get(key), (key,))]
    normalised_there = any(change.path[-1] == "std" for change in pipelines) or any(
        _has_normalize(cfg.get(key)) for key in _PIPELINE_HOLDERS
    )
    classifies = type_name(cfg["model"].get("type", "")) in _CLASSIFY
    order = "to_rgb" if classifies else "bgr_to_rgb"
    changes = []
    for path, preprocessor in preprocessors:
        if not normalised_there:
            changes += list(_correct(preprocessor, path, channels, order))
    return changes + pipelines


def _preprocessors(cfg: dict) -> Iterator[tuple[Path, dict]]:
    """Those that normalise: of the model, of a detector inside it, inside a wrapper."""
    for path in (("model",), ("model", "detector")):
        part = value_at(cfg, path)
        preprocessor = part.get("data_preprocessor") if isinstance(part, dict) else None
        place = (*path, "data_preprocessor")
        if preprocessor is None and path == ("model",):
            preprocessor, place = cfg.get("data_preprocessor"), ("data_preprocessor",)
        if not isinstance(preprocessor, dict):
            continue
        if isinstance(preprocessor.get("data_preprocessor"), dict):
            preprocessor, place = preprocessor["data_preprocessor"], (*place, "data_preprocessor")
        if not preprocessor.get("use_det_processor"):
            yield place, preprocessor


def _correct(preprocessor: dict, path: Path, channels: int, order: str) -> Iterator[Change]:
    if preprocessor.get("rgb_to_bgr"):
        yield Change((*path, "rgb_to_bgr"), True, False, _WHY)
    wanted = {"mean": list(MEAN), "std": list(STD), order: True}
    if channels != len(MEAN):
        times = channels // len(MEAN)
        wanted = {"mean": list(MEAN) * times, "std": list(STD) * times}
    for key, now in wanted.items():
        was = preprocessor.get(key, ABSENT)
        if not _same(was, now):
            yield Change((*path, key), was, now, _WHY)


def _same(was: Any, now: Any) -> bool:
    return (list(was) if isinstance(was, (list, tuple)) else was) == now


def _in(value: Any, path: Path) -> Iterator[Change]:
    """Changes of the transforms anywhere inside ``value``."""
    if isinstance(value, dict):
        kind = type_name(value["type"]) if "type" in value else ""
        if kind == "Normalize" or kind in _FILLS:
            yield from _correct_transform(value, path, kind)
        for key, inner in value.items():
            yield from _in(inner, (*path, key))
    elif isinstance(value, (list, tuple)):
        for i, inner in enumerate(value):
            yield from _in(inner, (*path, i))


def _correct_transform(transform: dict, path: Path, kind: str) -> Iterator[Change]:
    why = _WHY if kind == "Normalize" else "it fills borders with the mean"
    for key, now in (("mean", list(MEAN)), ("std", list(STD)), ("to_rgb", True)):
        was = transform.get(key, ABSENT)
        if (was is not ABSENT or kind == "Normalize") and was is not None and not _same(was, now):
            if kind in _FILLS and key == "std":
                continue  # a border's colour does not depend on it
            yield Change((*path, key), was, now, why)


def _has_normalize(value: Any) -> bool:
    if isinstance(value, dict):
        return type_name(value.get("type", "")) == "Normalize" or any(
            map(_has_normalize, value.values())
        )
    return isinstance(value, (list, tuple)) and any(map(_has_normalize, value))
