"""The boxes of a COCO file: four numbers, of some size, inside their images."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .coco_entries import on_entries
from .coco_objects import Objects
from .findings import FEW, Finding, brief

_CORNERS = 0.1  # share of boxes over the edge from which they may be corners
_BOX = "[x, y, width, height] in pixels, x and y of the upper left corner"
_MEND = "correct or remove them"
_Check = tuple[np.ndarray, str, str, str, dict[str, Any]]  # rows, key, what, remedy, more


def check_boxes(place: str, annotations: list[dict], objects: Objects) -> Iterator[Finding]:
    """Boxes and areas: numbers, of some size, inside the image."""

    def about(rows: np.ndarray, key: str, what: str, remedy: str, **more: Any) -> Finding:
        chosen = np.flatnonzero(rows).tolist()
        more.setdefault("is_fault", len(chosen) > FEW * len(annotations))
        return on_entries(
            place,
            "annotations",
            annotations,
            chosen,
            what,
            remedy,
            lambda row: f"{key} {brief(annotations[row].get(key))}{_size_text(objects, row)}",
            **more,
        )

    checks = (*_unreadable(annotations, objects), *_sizeless(objects), *_outside(objects))
    for rows, key, what, remedy, more in checks:
        if rows.any():
            yield about(rows, key, what, remedy, **more)


def _size_text(objects: Objects, row: int) -> str:
    width, height = objects.image_sizes_of(row)
    return "" if np.isnan(width) else f", image {width:g}x{height:g}"


def _unreadable(annotations: list[dict], objects: Objects) -> Iterator[_Check]:
    for key, numbers in (("bbox", objects.boxes[:, 0]), ("area", objects.area)):
        there = np.array([key in annotation for annotation in annotations], dtype=bool)
        what, accepted = "is not four finite numbers", _BOX
        if key == "area":
            what, accepted = "is no finite number", "the object's area in square pixels"
        more = dict(accepted=accepted, is_fault=True)
        yield there & np.isnan(numbers), key, f"`{key}` {what}", f"write `{key}` anew", more


def _sizeless(objects: Objects) -> Iterator[_Check]:
    """Boxes that the library leaves out for their size."""
    width, height = objects.boxes[:, 2:].T
    more = dict(accepted="width and height from 1 pixel on")
    what = "`bbox` has no size, so that the object would be left out"
    yield objects.taken & ((width <= 0) | (height <= 0)), "bbox", what, _MEND, more
    sized = objects.taken & (width > 0) & (height > 0)
    what = "`area` is not above 0, so that the object would be left out"
    remedy = "write the area of the mask, or width * height of the box"
    yield sized & (objects.area <= 0), "area", what, remedy, dict(accepted="square pixels above 0")
    small = sized & ((width < 1) | (height < 1))
    fractions = sized & (objects.boxes <= 1).all(axis=1)
    if fractions.sum() > 0.5 * len(small):
        what = "`bbox` is in fractions of the image, so that the object would be left out"
        remedy = "multiply x and width by the image's width, y and height by its height"
        yield fractions, "bbox", what, remedy, dict(accepted=_BOX)
    else:
        what = "`bbox` is less than 1 pixel wide or high, so that the object is left out"
        yield small, "bbox", what, "", dict(is_fault=False)


def _outside(objects: Objects) -> Iterator[_Check]:
    """Boxes that lie outside their images, and boxes that are corners instead."""
    left, top, width, height = objects.boxes.T
    columns, rows = objects.image_sizes.T
    sized = objects.taken & (width > 0) & (height > 0)
    over = np.maximum.reduce([-left, -top, left + width - columns, top + height - rows])
    overlap = np.clip(np.minimum(left + width, columns) - np.maximum(left, 0), 0, None)
    overlap = overlap * np.clip(np.minimum(top + height, rows) - np.maximum(top, 0), 0, None)
    beyond = sized & (over > 1)
    corners = (left >= 0) & (top >= 0) & (width > left) & (height > top)
    corners &= (width <= columns + 1) & (height <= rows + 1)
    more = dict(accepted=_BOX)
    if beyond.sum() > _CORNERS * len(beyond) and (corners[beyond].mean() > 0.9):
        what = "`bbox` reaches out of the image; the boxes look like corners [x1, y1, x2, y2]"
        remedy = "write [x1, y1, x2 - x1, y2 - y1]"
        yield beyond, "bbox", what, remedy, more | dict(is_fault=True)
        return
    mostly = sized & (overlap < 0.5 * width * height)
    what = "`bbox` lies outside of the image, by half or more"
    yield mostly, "bbox", what, _MEND, more
    what = "`bbox` reaches out of the image by more than a pixel"
    yield beyond & ~mostly, "bbox", what, "", dict(is_fault=False)
