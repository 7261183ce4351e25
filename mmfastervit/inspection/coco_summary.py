"""What a COCO data set holds, in a few lines."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .coco_objects import Objects
from .findings import counted
from .pipeline import scale_of
from .sources import Source

_SMALL = (8, 16, 32)  # pixels: strides of the first maps of a detector
_SHOWN = 20  # classes


def learned_by_class(source: Source, lists: dict, objects: Objects) -> dict[str, int]:
    """How many objects of each of the config's classes there are to learn."""
    names = [str(entry.get("name")) for entry in lists["categories"]]
    counts = np.bincount(objects.category[objects.learned], minlength=len(names))
    by_name = dict.fromkeys(names if source.classes is None else source.classes, 0)
    for name, count in zip(names, counts.tolist(), strict=True):
        if name in by_name:
            by_name[name] += count
    return by_name


def summary(source: Source, path: Path, lists: dict, objects: Objects, opened: str) -> str:
    """The lines on a data set, the first with its place in the config."""
    images, by_class = lists["images"], learned_by_class(source, lists, objects)
    lines = [
        f"{source.key}: COCO, {path}",
        f"  {counted(len(images), 'image')}{_size_range(objects.sizes)}, "
        f"{counted(sum(by_class.values()), 'object')} of {counted(len(by_class), 'class')}"
        f"{_crowds(objects)}",
    ]
    if lists["annotations"]:
        with_objects = len(np.unique(objects.image[objects.kept]))
        lines += [
            f"  objects: {_listed(by_class)}",
            f"  images without objects: {_share(len(images) - with_objects, len(images))}",
            *_box_sizes(source, objects),
        ]
    return "\n".join([*lines, f"  pictures opened: {opened}"])


def _crowds(objects: Objects) -> str:
    count = int((objects.kept & objects.crowd).sum())
    return f", {counted(count, 'crowd')}" if count else ""


def _size_range(sizes: np.ndarray) -> str:
    known = sizes[~np.isnan(sizes[:, 0])]
    if not len(known):
        return ""
    low, high = ("x".join(f"{side:g}" for side in known[i]) for i in _smallest_and_largest(known))
    return f" of {low}" if low == high else f" of {low} to {high}"


def _smallest_and_largest(sizes: np.ndarray) -> tuple[int, int]:
    areas = sizes.prod(axis=1)
    return int(areas.argmin()), int(areas.argmax())


def _listed(by_class: Mapping[str, int]) -> str:
    """Counts by class, the most frequent first where there are many."""
    items = list(by_class.items())
    if len(items) <= _SHOWN:
        return ", ".join(f"{name} {count}" for name, count in items)
    items.sort(key=lambda item: -item[1])
    shown = ", ".join(f"{name} {count}" for name, count in items[:_SHOWN])
    name, count = items[-1]
    return f"{shown}, ... the fewest: {name} {count}"


def _share(count: int, total: int) -> str:
    return f"{count} ({100 * count / max(total, 1):.1f} %)" if count else "none"


def _box_sizes(source: Source, objects: Objects) -> list[str]:
    """The share of boxes that are small where the model sees them."""
    shown = objects.learned
    if not shown.any():
        return []
    scale, sizes = scale_of(source), objects.boxes[shown, 2:]
    where = "as they are labelled (the pipeline resizes to no stated size)"
    if scale is not None:
        sizes, where = sizes * scale.factors(objects.image_sizes[shown]), f"resized to {scale}"
    sides = np.sqrt(sizes.prod(axis=1))
    shares = ", ".join(f"{100 * (sides < small).mean():.1f} % under {small}" for small in _SMALL)
    median = f"median {np.median(sides):.0f}"
    return [f"  boxes {where}, root of the area in pixels: {shares}, {median}"]
