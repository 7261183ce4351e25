"""Normalisation and channel order: FasterViT's weights want RGB, normalised as ImageNet is."""

from collections.abc import Iterator, Sequence
from typing import Any

from mmfastervit.config.tree import ABSENT, Path, type_name, value_at

from .changes import Change

MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)
_WHY = "FasterViT's weights want RGB normalised as ImageNet is"
_KNOW_THE_MEAN = {"Normalize", "Expand", "RandomCenterCropPad"}
_PIPELINE_HOLDERS = (
    "train_dataloader",
    "val_dataloader",
    "test_dataloader",
    "tta_pipeline",
    "custom_hooks",
)
# Preprocessors that call the channel order to_rgb; those of detectors and segmentors bgr_to_rgb.
_TO_RGB = {
    "ClsDataPreprocessor",
    "MultiModalDataPreprocessor",
    "ReIDDataPreprocessor",
    "SelfSupDataPreprocessor",
}


def normalise(cfg: dict, channels: int) -> list[Change]:
    """Correct the data preprocessor, or preprocessors, and the transforms that know the mean.

    Args:
        cfg: The whole config.
        channels: Channels of an image; several RGB images in one have a multiple of three.
    """
    preprocessors = list(_preprocessors(cfg))
    transforms = [one for key in _PIPELINE_HOLDERS for one in _transforms(cfg.get(key), (key,))]
    changes = []
    if not any(type_name(one["type"]) == "Normalize" for _, one in transforms):
        for path, preprocessor in preprocessors:
            order = _order_key(preprocessor, cfg.get("default_scope"))
            changes += _correct(preprocessor, path, channels, order)
    means = [list(one["mean"]) for _, one in preprocessors if one.get("mean")]
    for path, transform in transforms:
        if type_name(transform["type"]) == "Normalize":
            changes += _correct_normalize(transform, path)
        else:
            changes += _correct_fill(transform, path, means)
    return changes + _correct_reid(cfg, changes)


def _correct_reid(cfg: dict, changes: Sequence[Change]) -> list[Change]:
    """Keep the channel order of the crops that a tracker hands to its re-identification network.

    mmdet's ``imrenormalize`` undoes the preprocessor's mean and standard deviation, not its channel
    order, and turns the channels round where ``to_rgb`` is set, as it is by default.
    """
    path = ("model", "tracker", "reid", "img_norm_cfg")
    settings = value_at(cfg, path)
    turned = ("model", "data_preprocessor", "bgr_to_rgb") in [change.path for change in changes]
    if not turned or not isinstance(settings, dict) or not settings.get("to_rgb", True):
        return []
    why = "the tracker's crops come in RGB now: turned once more, re-identification would read BGR"
    return [Change((*path, "to_rgb"), settings.get("to_rgb", ABSENT), False, why)]


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


def _order_key(preprocessor: dict, scope: str | None) -> str:
    """The argument that turns BGR to RGB: by the one that is set, the type, or the package."""
    for key in ("to_rgb", "bgr_to_rgb"):
        if key in preprocessor:
            return key
    if "type" in preprocessor:
        return "to_rgb" if type_name(preprocessor["type"]) in _TO_RGB else "bgr_to_rgb"
    return "to_rgb" if scope == "mmpretrain" else "bgr_to_rgb"


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


def _transforms(value: Any, path: Path) -> Iterator[tuple[Path, dict]]:
    """The transforms anywhere inside ``value`` that know the mean, each with its place."""
    if isinstance(value, dict):
        if "type" in value and type_name(value["type"]) in _KNOW_THE_MEAN:
            yield path, value
        for key, inner in value.items():
            yield from _transforms(inner, (*path, key))
    elif isinstance(value, (list, tuple)):
        for i, inner in enumerate(value):
            yield from _transforms(inner, (*path, i))


def _correct_normalize(transform: dict, path: Path) -> Iterator[Change]:
    for key, now in (("mean", list(MEAN)), ("std", list(STD)), ("to_rgb", True)):
        was = transform.get(key, ABSENT)
        if not _same(was, now):
            yield Change((*path, key), was, now, _WHY)


def _correct_fill(transform: dict, path: Path, means: list[list]) -> Iterator[Change]:
    """Let borders that were filled with the old mean be filled with the new one."""
    was = transform.get("mean")
    if was is None or list(was) not in means or _same(was, list(MEAN)):
        return
    why = "it fills borders with the mean"
    yield Change((*path, "mean"), was, list(MEAN), why)
    if transform.get("to_rgb", True) is not True:
        yield Change((*path, "to_rgb"), False, True, why)
